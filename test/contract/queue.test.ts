import { queueContract } from './cache-contract.js'
import { CODEC_NAMES, cacheSubject } from './subjects.js'

for (const codec of CODEC_NAMES) queueContract(cacheSubject(codec))
