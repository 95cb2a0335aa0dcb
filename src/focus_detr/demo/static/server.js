// Questions to the server. What it refuses is thrown as an Error with its sentence.

async function answerOf(response) {
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  throw new Error(answer?.error ?? `the server answered ${response.status}`);
}

async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server cannot be reached, or it broke off the upload");
  }
  return response;
}

export async function fetchModel() {
  return answerOf(await ask("/api/model"));
}

export async function fetchPicture(address) {
  const response = await ask(address);
  return response.ok ? response.blob() : answerOf(response);
}

/** Detections of the picture from `threshold` on, with the kept tokens if `tokens`. */
export async function detect(picture, { threshold, tokens, signal }) {
  const address = `/api/detections?threshold=${threshold}&tokens=${tokens}`;
  const headers = { "Content-Type": "application/octet-stream" };
  return answerOf(await ask(address, { method: "POST", body: picture, headers, signal }));
}
