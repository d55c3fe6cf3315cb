// Ends a wait when its client goes away. Network thread.

/** The result of `answer`, or `otherwise` as soon as the client is gone or the broker stops. */
export function untilGone<Answer>(
  answer: Promise<Answer>,
  gone: AbortSignal,
  otherwise: Answer,
): Promise<Answer> {
  if (gone.aborted) return Promise.resolve(otherwise)
  return new Promise((resolve, reject) => {
    const leave = () => resolve(otherwise)
    gone.addEventListener('abort', leave)
    answer.then(resolve, reject).finally(() => gone.removeEventListener('abort', leave))
  })
}
