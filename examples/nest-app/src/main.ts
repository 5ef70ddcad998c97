// A complete app: npx tsc -p examples/nest-app && CACHE_DIR=/tmp/books node examples/nest-app/dist/main.js
import { NestFactory } from '@nestjs/core'
import { AppModule } from './app.module.js'

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] })
// SIGTERM then closes the app, and the app closes its caches.
app.enableShutdownHooks()
await app.listen(process.env['PORT'] ?? 3000)
console.log(`listening on ${await app.getUrl()}`)
