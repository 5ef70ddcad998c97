import { cacheContract, codecContract } from './cache-contract.js'
import { fanoutSubject } from './subjects.js'

cacheContract(fanoutSubject('structured'))
for (const codec of ['json', 'pickle'] as const) codecContract(fanoutSubject(codec))
