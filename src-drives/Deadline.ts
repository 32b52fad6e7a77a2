/**
 * The value of a promise, or null where it failed or was not there in time: for questions that a
 * dead device may never answer.
 * @param milliseconds how long to wait
 */
export async function withinDeadline<Value>(
  asked: Promise<Value>,
  milliseconds: number,
): Promise<Value | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => {
      resolve(null);
    }, milliseconds);
  });
  try {
    return await Promise.race([asked, late]);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}
