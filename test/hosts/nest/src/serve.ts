import { createRequire } from 'node:module'
import type { INestApplication, Type } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'

const { platform } = JSON.parse(process.argv[2] ?? '{}') as { platform?: string }

/** Prints where it listens. Closes when a line comes in; then nothing may keep the process. */
export async function serve(module: Type): Promise<void> {
  let app: INestApplication
  try {
    app = await create(module)
  } catch (error) {
    console.log(`refused ${(error as Error).message}`)
    return
  }
  await app.listen(0, '127.0.0.1')
  console.log(`listening ${await app.getUrl()}`)
  process.stdin.once('data', async () => {
    process.stdin.destroy()
    await app.close()
    console.log('closed')
  })
}

function create(module: Type): Promise<INestApplication> {
  const options = { logger: ['error', 'warn'] as ('error' | 'warn')[], abortOnError: false }
  if (platform !== 'fastify') return NestFactory.create(module, options)
  // Of those who have it installed alone.
  const { FastifyAdapter } = createRequire(String(process.argv[1]))('@nestjs/platform-fastify')
  return NestFactory.create(module, new FastifyAdapter(), options)
}
