#!/usr/bin/env node
'use strict'

// Old syntax on purpose: an old Node shall say what it needs, not that it cannot read this file.
var LEAST = [20, 19]
var parts = process.versions.node.split('.')
var major = Number(parts[0])

if (major < LEAST[0] || (major === LEAST[0] && Number(parts[1]) < LEAST[1])) {
  fail('this needs Node ' + LEAST.join('.') + ' or later, and runs on ' + process.versions.node)
} else {
  start()
}

function start() {
  var cli
  try {
    cli = require('../dist/cli.cjs')
  } catch (error) {
    if (process.env.FANOUT_CACHE_DEBUG) console.error(error)
    fail('the package is not installed completely, install it again: ' + String(error.message).split('\n')[0])
    return
  }
  cli.main()
}

function fail(sentence) {
  process.stderr.write('fanout-cache: ' + sentence + '\n')
  process.exitCode = 2
}
