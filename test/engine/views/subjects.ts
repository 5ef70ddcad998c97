import type { Cache, DiskCache, FanoutCache } from 'fanout-cache'
import { type CodecName, cacheSubject, fanoutSubject, type Subject } from '../../contract/subjects.js'

/**
 * Namespaces of both classes. Whoever closes one closes the cache around it, as far as the contract is concerned: it
 * says what happens to a cache that is closed.
 */
export function namespaceSubjects(codec: CodecName): readonly [single: Subject, fanout: Subject] {
  return [namespaceOf(cacheSubject(codec)), namespaceOf(fanoutSubject(codec))]
}

function namespaceOf(subject: Subject<Cache | FanoutCache>): Subject {
  return {
    ...subject,
    name: `a namespace of a ${subject.name}`,
    make: (options, directory): DiskCache => {
      const host = subject.make(options, directory)
      return Object.assign(host.namespace('prod', { version: 3 }), { close: () => host.close() })
    },
  }
}
