/** Tests of the public suite, by their ids, that do not come out as it would like to have them; the key says why. */
export type Exceptions = Readonly<Record<string, readonly string[]>>

/** However the cache is opened. Sections are those of RFC 9111. */
export const OF_ALL: Exceptions = {
  'of several ages the first one counts, and what is no number is ignored (§5.1): the suite is older': [
    ...['age-parse-nonnumeric', 'age-parse-negative', 'age-parse-float', 'age-parse-prefix-twoline'],
    ...['age-parse-dup-0', 'age-parse-dup-0-twoline', 'age-parse-dup-old'],
    ...['age-parse-parameter', 'age-parse-numeric-parameter'],
  ],
  'a 304 updates all fields but Content-Length (§3.2): the suite is older': [
    '304-etag-update-response-Content-Encoding',
    '304-etag-update-response-Content-MD5',
    '304-etag-update-response-Content-Range',
  ],
  'a 304 with another strong tag must not renew what is stored (§4.3.4)': ['304-etag-update-response-ETag'],
  'the suite takes the 502 of any gateway for an answer of the cache, since its origin has not numbered it': [
    ...[
      'stale-close-must-revalidate',
      'stale-close-proxy-revalidate',
      'stale-close-no-cache',
      'stale-close-s-maxage=2',
    ],
  ],
  'Warning is obsolete (§5.5)': ['stale-warning-stored', 'stale-warning-become'],
  'what is not a whole number of seconds, or has two values, means stale (§4.2.1)': [
    ...['freshness-max-age-decimal-zero', 'freshness-max-age-decimal-five'],
    ...['freshness-max-age-a100', 'freshness-max-age-100a'],
    ...['freshness-max-age-multiple-line', 'freshness-max-age-multiple-directive'],
    ...['freshness-max-age-two-stale-fresh-sameline', 'freshness-max-age-two-fresh-stale-sameline'],
    ...['freshness-max-age-two-stale-fresh-sepline', 'freshness-max-age-two-fresh-stale-sepline'],
  ],
  'what is no date in one of the three forms, in GMT, means stale (§4.2, §5.3)': [
    ...['freshness-expires-32bit', 'freshness-expires-far-future', 'freshness-expires-invalid-no-comma'],
    ...['freshness-expires-invalid-utc', 'freshness-expires-invalid-aest', 'freshness-expires-invalid-2-digit-year'],
    ...['freshness-expires-invalid-multiple-spaces', 'freshness-expires-invalid-date-dashes'],
    ...['freshness-expires-invalid-time-periods', 'freshness-expires-invalid-1-digit-hour'],
    'freshness-expires-invalid-multiple-lines',
  ],
  'a tenth of it is over when they ask again (§4.2.2)': [
    ...['heuristic-delta-5', 'heuristic-delta-10', 'heuristic-delta-30'],
  ],
  'no-store of a request says nothing of what is stored already (§5.2.1.5)': ['ccreq-no-store'],
  'who says Pragma: no-cache has asked for care: there is no heuristic for it': ['pragma-response-no-cache-heuristic'],
  'which language a handler would choose is not known': ['vary-normalise-lang-select'],
  'a 304 is for dates from that of the answer on, if it has no other (§4.3.2); this one is before': [
    'conditional-lm-fresh-no-lm',
  ],
  'Node sends such bytes as UTF-8 beside a body that is a string, as that of the origin, and else as latin1': [
    'conditional-etag-strong-respond-obs-text',
  ],
  'a tag without quotes is not the same as one with them': [
    ...['conditional-etag-quoted-respond-unquoted', 'conditional-etag-unquoted-respond-quoted'],
    'conditional-etag-strong-generate-unquoted',
  ],
  'a miss goes to the handler without conditions, since all of its answer is to be stored': [
    ...['conditional-etag-forward', 'conditional-etag-forward-unquoted', 'conditional-etag-vary-headers-mismatch'],
  ],
  'an answer to HEAD without validator and length renews nothing, and goes out as it came': [
    ...['head-200-retain', 'head-200-freshness-update', 'head-200-update'],
  ],
  'a 410 to HEAD says nothing of the answer to GET (§4.3.5)': ['head-410-update'],
  'their Content-Range has six bytes, and their body five: that is not whole': [
    ...['partial-store-partial-reuse-partial', 'partial-store-partial-reuse-partial-byterange'],
    ...['partial-store-partial-reuse-partial-absent', 'partial-store-partial-reuse-partial-suffix'],
  ],
  'parts are not put together': ['partial-store-partial-complete'],
  'a targeted field is a dictionary, whose names are in lower case (RFC 9213 §2.1)': [
    ...['surrogate-max-age-me-target', 'surrogate-max-age-case-insensitive', 'surrogate-fresh-cc-nostore'],
  ],
  'requests do not announce it': ['surrogate-append-capabilities'],
}

/** Only with its defaults: what they refuse can be opened by name. */
export const OF_SAFE: Exceptions = {
  storeSetCookie: ['headers-store-Set-Cookie', '304-etag-update-response-Set-Cookie', 'other-set-cookie'],
  heuristics: [
    ...['heuristic-200-cached', 'heuristic-203-cached', 'heuristic-204-cached', 'heuristic-404-cached'],
    ...['heuristic-405-cached', 'heuristic-410-cached', 'heuristic-414-cached', 'heuristic-501-cached'],
    ...['heuristic-599-cached', 'heuristic-delta-60', 'heuristic-delta-300', 'heuristic-delta-600'],
    ...['heuristic-delta-1200', 'heuristic-delta-1800', 'heuristic-delta-3600', 'heuristic-delta-43200'],
    ...['heuristic-delta-86400', 'other-heuristic-content-disposition-attachment'],
  ],
  cachePost: ['method-POST'],
  requestDirectives: [
    ...['ccreq-ma0', 'ccreq-ma1', 'ccreq-magreaterage', 'ccreq-min-fresh', 'ccreq-min-fresh-age'],
    ...['ccreq-no-cache', 'ccreq-no-cache-lm', 'ccreq-no-cache-etag'],
  ],
  'staleIfError: what is stale on arrival is stored where something allows to use it': [
    ...['stale-close', 'stale-503', 'ccreq-max-stale-age'],
  ],
  'targets: Surrogate-Control': [
    ...['surrogate-max-age', 'surrogate-max-age-max', 'surrogate-max-age-max-plus', 'surrogate-max-age-extension'],
    ...['surrogate-max-age-expires', 'surrogate-max-age-cc-max-age-invalid-expires', 'surrogate-max-age-0-expires'],
    ...['surrogate-max-age-short-cc-max-age', 'surrogate-max-age-long-cc-max-age', 'surrogate-no-store-cc-fresh'],
  ],
}

/** Only where all is opened. */
export const OF_OPENED: Exceptions = {
  'requestDirectives: Pragma of a request is heeded too (§5.4)': ['pragma-request-no-cache'],
}
