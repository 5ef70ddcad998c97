import { queueContract, readingContract } from './cache-contract.js'
import { cacheSubject, fanoutSubject, withMemory } from './subjects.js'

readingContract(withMemory(cacheSubject('structured'), {}))
readingContract(withMemory(fanoutSubject('structured'), { mode: 'frozen' }))
// Text has another form as a key under this codec.
readingContract(withMemory(fanoutSubject('json'), {}))
queueContract(withMemory(cacheSubject('pickle'), { mode: 'frozen' }))
