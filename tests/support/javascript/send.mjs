// Sends one event by the JavaScript SDK. Standard input: {url, token, mode, event}; prints the answers' bodies.
import { CloudEvent, HTTP, Mode, emitterFor, httpTransport } from "cloudevents";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { url, token, mode, event } = JSON.parse(Buffer.concat(chunks).toString());
const authorization = `Bearer ${token}`;

const { bytes, ...attributes } = event;
if (bytes !== undefined) attributes.data = Uint8Array.from(Buffer.from(bytes, "base64"));
const cloudEvent = new CloudEvent(attributes);

async function post(message) {
  const headers = { ...message.headers, authorization };
  const answer = await fetch(url, { method: "POST", headers, body: message.body });
  return await answer.text();
}

const ways = {
  binary: () => post(HTTP.binary(cloudEvent)),
  structured: () => post(HTTP.structured(cloudEvent)),
  // The SDK has no batch mode to send in; its events have a JSON form.
  batched: () =>
    post({
      headers: { "content-type": "application/cloudevents-batch+json; charset=utf-8" },
      body: JSON.stringify([cloudEvent]),
    }),
  lines: () =>
    post({ headers: { "content-type": "application/x-ndjson" }, body: `${JSON.stringify(cloudEvent)}\n` }),
  "emitter-binary": async () => {
    const emit = emitterFor(httpTransport(url), { mode: Mode.BINARY });
    return (await emit(cloudEvent, { headers: { authorization } })).body;
  },
  "emitter-structured": async () => {
    const emit = emitterFor(httpTransport(url), { mode: Mode.STRUCTURED });
    return (await emit(cloudEvent, { headers: { authorization } })).body;
  },
};
console.log(await ways[mode]());
