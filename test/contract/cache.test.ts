import { cacheContract, codecContract } from './cache-contract.js'
import { cacheSubject, compressedSubject } from './subjects.js'

cacheContract(cacheSubject('structured'))
for (const codec of ['json', 'pickle'] as const) codecContract(cacheSubject(codec))
codecContract(compressedSubject())
