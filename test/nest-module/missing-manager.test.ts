import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'

/** An app in a process of its own, in which nobody finds the cache-manager. */
const APP = `
  const Module = require('node:module')
  const resolve = Module._resolveFilename
  Module._resolveFilename = function (name, ...rest) {
    if (!/cache-manager$/.test(name)) return resolve.call(this, name, ...rest)
    throw Object.assign(new Error('Cannot find module ' + name), { code: 'MODULE_NOT_FOUND' })
  }
  require('reflect-metadata')
  const { NestFactory } = require('@nestjs/core')
  const { CacheModule } = require('fanout-cache/nest')
  class App {}
  require('@nestjs/common').Module({ imports: [CacheModule.register({ directory: process.argv[1] })] })(App)
  NestFactory.createApplicationContext(App, { logger: false, abortOnError: false }).then(
    () => console.log('started'),
    error => console.log(error.message),
  )`

it('an app without cache-manager does not start, and says what to install', async () => {
  const directory = temporaryDirectory()
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['-e', APP, directory])
  const sentence = 'CacheModule: fanout-cache/nest needs cache-manager: npm install cache-manager keyv@5\n'
  expect([stdout, stderr, readdirSync(directory)]).toEqual([sentence, '', []])
})
