import { cacheContract } from './cache-contract.js'
import { CODEC_NAMES, cacheSubject } from './subjects.js'

for (const codec of CODEC_NAMES) cacheContract(cacheSubject(codec))
