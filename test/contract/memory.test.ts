import { keyContract, queueContract, readingContract } from './cache-contract.js'
import { cacheSubject, fanoutSubject, withMemory } from './subjects.js'

readingContract(withMemory(cacheSubject('structured'), { mode: 'frozen' }))
keyContract(withMemory(fanoutSubject('structured'), {}))
// Text has another form as a key under this codec.
keyContract(withMemory(cacheSubject('json'), {}))
queueContract(withMemory(cacheSubject('pickle'), { mode: 'frozen' }))
