/**
 * Wraps a function of the options that is to be synchronous. If it is not, nobody awaits the promise that it returns, and
 * its rejection would end the process.
 */
export function syncOption<Given extends unknown[], Answer>(
  option: (...given: Given) => Answer,
): (...given: Given) => Answer {
  return (...given) => {
    const answer = option(...given)
    if (answer instanceof Promise) answer.catch(() => undefined)
    return answer
  }
}
