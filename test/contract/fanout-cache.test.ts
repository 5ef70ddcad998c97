import { cacheContract } from './cache-contract.js'
import { CODEC_NAMES, fanoutSubject } from './subjects.js'

for (const codec of CODEC_NAMES) cacheContract(fanoutSubject(codec))
