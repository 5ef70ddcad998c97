import { Router } from 'express'
import { collectMetrics } from 'fanout-cache/prom-client'
import { AggregatorRegistry, Registry } from 'prom-client'

const PATIENCE_MILLISECONDS = 10_000

/**
 * The metrics of all workers, whichever of them is asked: each counts what it does itself, and the primary knows all of them. Prometheus
 * asks one address, and shall not see one worker now and the other then.
 */
export class Metrics {
  #asked = new Map()
  #number = 0

  /** @param {import('fanout-cache').FanoutCache} cache */
  constructor(cache) {
    const register = new Registry()
    collectMetrics(cache, { register, name: 'demo' })
    // What the primary gets when it asks this worker.
    AggregatorRegistry.setRegistries(register)
    new AggregatorRegistry()
    process.on('message', message => {
      if (message?.type === 'metrics') this.#asked.get(message.number)?.(message)
    })
  }

  routes() {
    const routes = Router()
    routes.get('/metrics', async (_request, response) => {
      const { text, error } = await this.#ask()
      if (text === undefined) response.status(503).type('text').send(`no metrics: ${error}\n`)
      else response.type(Registry.PROMETHEUS_CONTENT_TYPE).send(text)
    })
    return routes
  }

  async #ask() {
    const number = this.#number++
    const answered = new Promise(resolve => {
      this.#asked.set(number, resolve)
      setTimeout(resolve, PATIENCE_MILLISECONDS, { error: 'the primary does not answer' }).unref()
    })
    process.send?.({ type: 'metrics', number }, () => {})
    const answer = await answered
    this.#asked.delete(number)
    return answer
  }
}

/** What the primary does for it. */
export class MetricsOfAll {
  #all = new AggregatorRegistry()

  /** @param {import('node:cluster').Worker} worker who asks */
  async answer(worker, { number }) {
    const answer = await this.#all.clusterMetrics().then(
      text => ({ text }),
      error => ({ error: error.message }),
    )
    worker.send({ type: 'metrics', number, ...answer }, () => {})
  }
}
