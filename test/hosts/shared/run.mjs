// Runs the scenarios of a host one after the other and prints a line for each: what a test reads.

/** @param {Record<string, () => unknown>} scenarios by their titles */
export async function run(scenarios) {
  for (const [title, scenario] of Object.entries(scenarios)) {
    try {
      await scenario()
      console.log(`ok ${title}`)
    } catch (error) {
      console.log(`failed ${title}: ${error?.stack ?? error}`.replaceAll('\n', ' | '))
    }
  }
  console.log('done')
}
