// @ts-check
/**
 * Ten requests a minute and client, and three attempts to log in, however many processes the app has, and however often
 * they are restarted.
 *
 *   node examples/express-rate-limit/app.mjs                # http://127.0.0.1:3000
 *   PORT=3001 node examples/express-rate-limit/app.mjs      # one more process with the same counts
 *
 *   for i in 1 2 3 4 5 6; do curl -si http://127.0.0.1:300$((i % 2))/ | grep -i '^ratelimit:'; done
 *
 * PORT, LIMITS for the directory of the counts, and WINDOW for the seconds of a window, are taken from the environment.
 */
import express from 'express'
import { rateLimit } from 'express-rate-limit'
import { FanoutCache } from 'fanout-cache'
import { DiskRateLimitStore } from 'fanout-cache/express-rate-limit'

const windowMs = Number(process.env.WINDOW ?? 60) * 1000
// One for both limiters. Nothing is evicted: whose count is gone could begin anew.
const counts = new FanoutCache(process.env.LIMITS ?? './limits', { evictionPolicy: 'none' })
await counts.open()

const app = express()
app.disable('x-powered-by')

app.use(
  rateLimit({
    windowMs,
    limit: 10,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    // Before: new RedisStore({ sendCommand, prefix: 'all:' })
    store: new DiskRateLimitStore(counts, { prefix: 'all' }),
    // A disk that is full shall not close the shop.
    passOnStoreError: true,
  }),
)
app.get('/', (_request, response) => response.type('text').send('Hello.\n'))

app.post(
  '/login',
  rateLimit({
    windowMs,
    limit: 3,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    store: new DiskRateLimitStore(counts, { prefix: 'logins' }),
    // Who knew the password is not counted.
    skipSuccessfulRequests: true,
  }),
  express.urlencoded({ extended: false }),
  (request, response) => {
    if (request.body?.password === 'open sesame') response.type('text').send('Come in.\n')
    else response.status(403).type('text').send('Wrong.\n')
  },
)

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}/`)
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop)

function stop() {
  // Those that are being answered are still counted.
  server.close(() => void counts.close())
  server.closeIdleConnections()
}
