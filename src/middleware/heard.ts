/**
 * A function of the options that must not be asynchronous. If it is, the rejected promise that it answers would be
 * nobody's, and end the process.
 */
export function heard<Given extends unknown[], Answer>(
  option: (...given: Given) => Answer,
): (...given: Given) => Answer {
  return (...given) => {
    const answer = option(...given)
    if (answer instanceof Promise) answer.catch(() => undefined)
    return answer
  }
}
