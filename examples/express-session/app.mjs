// @ts-check
/**
 * Log in, stay logged in while the app is restarted or runs as several processes, log out.
 *
 *   node examples/express-session/app.mjs                # http://127.0.0.1:3000
 *   PORT=3001 node examples/express-session/app.mjs      # one more process with the same sessions
 *
 *   curl -c jar -d name=ada http://127.0.0.1:3000/login  # Hello ada, visit 1
 *   curl -b jar http://127.0.0.1:3001/                   # Hello ada, visit 2
 *   curl -b jar -X POST http://127.0.0.1:3000/logout
 *
 * PORT, SESSIONS for the directory of the sessions, and SECRET, are taken from the environment.
 */
import express from 'express'
import session from 'express-session'
import { DiskSessionStore } from 'fanout-cache/express-session'

// Before: new RedisStore({ client }). Nothing is evicted: a session is no copy of anything.
const store = new DiskSessionStore(process.env.SESSIONS ?? './sessions', { evictionPolicy: 'none' })
await store.cache.open()

const app = express()
app.disable('x-powered-by')
app.use(express.urlencoded({ extended: false }))
app.use(
  session({
    store,
    secret: process.env.SECRET ?? 'only for this example',
    resave: false,
    saveUninitialized: false,
    cookie: { httpOnly: true, sameSite: 'lax', secure: 'auto', maxAge: 30 * 60_000 },
  }),
)

app.post('/login', (request, response, next) => {
  const name = String(request.body?.name ?? '').trim()
  if (!name) return void response.status(400).type('text').send('Who are you?\n')
  // A new id, so that one that somebody else knew before the login is of no use.
  request.session.regenerate(error => {
    if (error) return next(error)
    Object.assign(request.session, { name })
    greet(request, response)
  })
})

app.get('/', (request, response) => {
  if (!visitor(request).name) return void response.status(401).type('text').send('Log in first.\n')
  greet(request, response)
})

app.post('/logout', (request, response, next) => {
  request.session.destroy(error => {
    if (error) return next(error)
    response.clearCookie('connect.sid').type('text').send('Goodbye.\n')
  })
})

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}/`)
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop)

/** What the session of a request holds. @param {import('express').Request} request */
function visitor(request) {
  return /** @type {{ name?: string, visits?: number }} */ (/** @type {unknown} */ (request.session))
}

/** @param {import('express').Request} request @param {import('express').Response} response */
function greet(request, response) {
  const one = visitor(request)
  one.visits = (one.visits ?? 0) + 1
  response.type('text').send(`Hello ${one.name}, visit ${one.visits}\n`)
}

function stop() {
  // Those that are being answered still need the store.
  server.close(() => void store.disconnect())
  server.closeIdleConnections()
}
