import { documentText, html } from './html.mjs'

/** Express knows an error handler by its four parameters. */
export function answerError(error, request, response, next) {
  if (response.headersSent) return next(error)
  const status = statusOf(error)
  if (status === 500) console.error(error)
  refuse(request, response, status, status === 500 ? 'this failed; see the output of the demo' : error.message)
}

/** JSON for programs and for the script of the page, else a page of one sentence. */
export function refuse(request, response, status, sentence) {
  response.status(status).set('Cache-Control', 'no-store')
  if (request.accepts(['json', 'html']) === 'json') return response.json({ error: sentence })
  response.type('html').send(
    documentText(html`<html lang="en"><head><meta charset="utf-8"><title>${sentence}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/assets/base.css"></head>
<body><main><p class="top">This did not work: ${sentence}.</p><p><a href="/">Back to the page</a></p></main></body></html>`),
  )
}

function statusOf(error) {
  if (error.name === 'TimeoutError') return 503
  return error.status >= 400 && error.status < 500 ? error.status : 500
}
