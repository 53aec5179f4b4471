// OpenAI's client for JavaScript, unmodified, against a model server; `suite.py` says what it is
// told, and by whom.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI from "openai";

const control = async (path) => (await fetch(`${process.env.SUITE_CONTROL}/${path}`)).text();
const record = async () => JSON.parse(await control("record"));
const key = async () => process.env.OPENAI_API_KEY ?? control("token");

const isSimulated = { simulated: true, real: false }[process.env.SUITE_MODEL];
assert.notEqual(isSimulated, undefined, "SUITE_MODEL is simulated or real");
const needsThePretendOne = (why) => ({ skip: isSimulated ? false : why });
const failsWhenTold = needsThePretendOne("only the pretend one's server fails when it is told to");

const client = new OpenAI({ apiKey: key, maxRetries: 0, timeout: 120_000 });

const models = [];
for await (const model of client.models.list()) models.push(model);
const model = models.find((model) => model.dimensions === undefined).id;
const embedder = models.find((model) => model.dimensions !== undefined).id;

const weather = {
  name: "weather",
  description: "The weather of a city.",
  parameters: {
    type: "object",
    properties: { city: { type: "string", enum: ["Bern", "Basel"] } },
    required: ["city"],
    additionalProperties: false,
  },
  strict: true,
};
const tools = [{ type: "function", function: weather }];
// A small model goes on and on where it may: everything has an end.
const plan = {
  type: "object",
  properties: {
    title: { type: "string", maxLength: 20 },
    steps: { type: "array", maxItems: 2, items: { $ref: "#/$defs/step" } },
  },
  required: ["title", "steps"],
  additionalProperties: false,
  $defs: {
    step: {
      type: "object",
      properties: { done: { type: "boolean" } },
      required: ["done"],
      additionalProperties: false,
    },
  },
};

const asked = (content) => [{ role: "user", content }];

const chat = (text, more = {}, options = {}) =>
  client.chat.completions.create({ model, max_tokens: 24, messages: asked(text), ...more }, options);

const failing = (status, times, key) => ({
  headers: { "x-suite-fail": `${status}`, "x-suite-times": `${times}`, "x-suite-key": `js-${key}` },
});

// Something was said, and what, where that is known beforehand.
const words = (text, expected) => {
  assert.ok(text);
  if (isSimulated) assert.match(text, expected);
};

test("plain", async () => {
  const { data: answer, request_id } = await chat("one two three").withResponse();
  const [choice] = answer.choices;
  assert.equal(choice.message.role, "assistant");
  assert.ok(["stop", "length"].includes(choice.finish_reason));
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  assert.ok(request_id);
  words(choice.message.content, /^one two three$/);
});

test("stream", async () => {
  const whole = await chat("one two three", { temperature: 0 });
  const ask = { temperature: 0, stream: true, stream_options: { include_usage: true } };
  const chunks = [];
  for await (const chunk of await chat("one two three", ask)) chunks.push(chunk);
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
  assert.ok(text);
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(chunks.at(-2).choices[0].finish_reason, whole.choices[0].finish_reason);
  assert.deepEqual(chunks.at(-1).choices, []);
  for (const tokens of ["prompt_tokens", "completion_tokens", "total_tokens"]) {
    assert.equal(chunks.at(-1).usage[tokens], whole.usage[tokens], tokens);
  }
});

test("the stream helper", async () => {
  const stream = client.chat.completions.stream({ model, max_tokens: 8, messages: asked("hi") });
  const final = await stream.finalChatCompletion();
  assert.ok(final.choices[0].message.content);
});

test("an answer is cut where it should be", async () => {
  const short = await chat("one two three four", { max_tokens: 2 });
  assert.equal(short.choices[0].finish_reason, "length");
  assert.equal(short.usage.completion_tokens, 2);
  const whole = (await chat("one two three", { temperature: 0 })).choices[0].message.content;
  const [stop] = whole.trim().split(/\s+/).slice(1).sort((a, b) => b.length - a.length);
  const stopped = (await chat("one two three", { temperature: 0, stop })).choices[0];
  assert.equal(stopped.message.content, whole.split(stop)[0]);
  assert.equal(stopped.finish_reason, "stop");
});

test("logprobs", async () => {
  const answer = await chat("one two", { logprobs: true, top_logprobs: 2 });
  const tokens = answer.choices[0].logprobs.content;
  assert.ok(tokens.length > 0);
  for (const token of tokens) {
    assert.ok(token.logprob <= 0);
    assert.equal(token.top_logprobs.length, 2);
  }
});

test("completions, plain and stream", async () => {
  const ask = { model, prompt: "one two", max_tokens: 4, temperature: 0 };
  const whole = await client.completions.create(ask);
  let text = "";
  for await (const part of await client.completions.create({ ...ask, stream: true })) {
    text += part.choices[0].text;
  }
  assert.ok(text);
  assert.equal(text, whole.choices[0].text);
});

const check = (call) => {
  assert.equal(call.function.name, "weather");
  assert.ok(["Bern", "Basel"].includes(JSON.parse(call.function.arguments).city));
  assert.ok(call.id);
};

test("tools that must be called", async () => {
  const named = { type: "function", function: { name: "weather" } };
  for (const tool_choice of ["required", named]) {
    const { choices } = await chat("Weather in Bern?", { tools, tool_choice, max_tokens: 64 });
    assert.equal(choices[0].finish_reason, "tool_calls");
    assert.equal(choices[0].message.content, null);
    check(choices[0].message.tool_calls[0]);
  }
});

test("tools that must be called, in a stream", async () => {
  const stream = client.chat.completions.stream({
    model, max_tokens: 64, messages: asked("Weather in Bern?"), tools, tool_choice: "required",
  });
  const final = await stream.finalChatCompletion();
  assert.equal(final.choices[0].finish_reason, "tool_calls");
  check(final.choices[0].message.tool_calls[0]);
});

test("tools with a second turn", async () => {
  const messages = asked("What is the weather in Bern?");
  // Whether it would call by itself, only the pretend one is sure to.
  const tool_choice = isSimulated ? "auto" : "required";
  const { choices: [first] } = await chat("", { messages, tools, tool_choice, max_tokens: 64 });
  assert.equal(first.finish_reason, "tool_calls");
  check(first.message.tool_calls[0]);
  messages.push(first.message);
  for (const call of first.message.tool_calls) {
    messages.push({ role: "tool", tool_call_id: call.id, content: "rain" });
  }
  const { choices: [second] } = await chat("", { messages, tools, tool_choice: "none" });
  words(second.message.content, /rain/);
});

// What the helper runs, and what it was called with.
const runnable = () => {
  const called = [];
  const run = (given) => {
    called.push(given);
    return "rain";
  };
  const tool = { type: "function", function: { ...weather, function: run, parse: JSON.parse } };
  return { called, tool };
};

test("the helper that runs tools runs the one that must be called", async () => {
  const { called, tool } = runnable();
  const tool_choice = { type: "function", function: { name: "weather" } };
  const ask = { model, max_tokens: 64, messages: asked("Weather in Bern?"), tools: [tool], tool_choice };
  await client.chat.completions.runTools(ask).done();
  assert.equal(called.length, 1);
  assert.ok(["Bern", "Basel"].includes(called[0].city));
});

const itsChoice = needsThePretendOne("whether a real one calls by itself is its own choice");

test("the helper that runs tools runs them till there is an answer", itsChoice, async () => {
  const { called, tool } = runnable();
  const runner = client.chat.completions.runTools({ model, messages: asked("weather"), tools: [tool] });
  assert.match(await runner.finalContent(), /rain/);
  assert.deepEqual(called, [{ city: "Bern" }]);
});

test("a schema", async () => {
  const answer = await client.chat.completions.parse({
    model, max_tokens: 400, temperature: 0, messages: asked("Plan it."),
    response_format: { type: "json_schema", json_schema: { name: "plan", schema: plan, strict: true } },
  });
  const made = JSON.parse(answer.choices[0].message.content);
  assert.equal(typeof made.title, "string");
  assert.ok(made.steps.every(({ done }) => typeof done === "boolean"));
});

test("embeddings in both encodings", async () => {
  const ask = { model: embedder, input: ["a red fox", "the deep sea"] };
  const packed = await client.embeddings.create(ask);
  const plain = await client.embeddings.create({ ...ask, encoding_format: "float" });
  for (const [at, { embedding }] of packed.data.entries()) {
    assert.equal(embedding.length, plain.data[at].embedding.length);
    for (const [place, number] of embedding.entries()) {
      assert.ok(Math.abs(number - plain.data[at].embedding[place]) < 1e-6);
    }
  }
});

test("each model of the list can be retrieved", async () => {
  for (const { id } of models) assert.equal((await client.models.retrieve(id)).id, id);
  await assert.rejects(client.models.retrieve("gpt-99"), OpenAI.NotFoundError);
});

const refused = async (ask, kind, expected) =>
  assert.rejects(ask, (error) => {
    assert.ok(error instanceof kind, `${error.constructor.name}: ${error.message}`);
    assert.ok(error.requestID);
    for (const [name, value] of Object.entries(expected)) assert.equal(error[name], value, name);
    return true;
  });

test("each error is of its own class", async () => {
  const bad = OpenAI.BadRequestError;
  const image = { type: "image_url", image_url: { url: "http://169.254.169.254/" } };
  const field = (code, param) => ({ code, param, status: 400 });
  await refused(chat("hi", { temperature: 3 }), bad, field("out-of-range", "temperature"));
  await refused(chat("hi", { temperature: "hot" }), bad, field("wrong-type", "temperature"));
  await refused(chat("hi", { no_such_field: 1 }), bad, field("unknown-field", "no_such_field"));
  await refused(chat("hi", { n: 2 }), bad, field("unsupported-field", "n"));
  await refused(chat([image]), bad, field("text-only", "messages[0].content[0]"));
  await refused(chat("word ".repeat(20_000)), bad, { code: "prompt-too-long" });
  await refused(chat("word ".repeat(20_000), { stream: true }), bad, { code: "prompt-too-long" });
  await refused(chat("hi", { model: "gpt-99" }), OpenAI.NotFoundError, { code: "model-not-found" });
  await refused(chat("x".repeat(10_000_000)), OpenAI.APIError, { status: 413, code: "request-too-large" });
  const stranger = new OpenAI({ apiKey: "sk-wrong", maxRetries: 0 });
  const ask = stranger.chat.completions.create({ model, messages: asked("hi") });
  await refused(ask, OpenAI.AuthenticationError, { code: "not-signed-in" });
});

const breaks = needsThePretendOne("only the pretend one breaks when it is told to");

test("a stream that breaks raises", breaks, async () => {
  let text = "";
  await assert.rejects(
    async () => {
      for await (const chunk of await chat("please break here", { stream: true })) {
        text += chunk.choices[0].delta.content ?? "";
      }
    },
    (error) => error instanceof OpenAI.APIError && error.code === "engine-failed",
  );
  assert.equal(text, "please ");
});

test("failures of the server", failsWhenTold, async () => {
  for (const [status, kind] of [[429, OpenAI.RateLimitError], [503, OpenAI.InternalServerError]]) {
    await assert.rejects(chat("hi", {}, failing(status, 9, `no-retry-${status}`)), kind);
  }
});

test("the client waits as long as it is told and gets its answer", failsWhenTold, async () => {
  for (const status of [429, 503]) {
    const begun = performance.now();
    const options = { ...failing(status, 1, `retry-${status}`), maxRetries: 2 };
    const answer = await chat("hi", {}, options);
    assert.equal(answer.choices[0].message.content, "hi");
    assert.ok(performance.now() - begun >= 1000);
  }
});

test("the client does not sleep till midnight", failsWhenTold, async () => {
  const { headers } = failing(429, 9, "midnight");
  const options = { headers: { ...headers, "x-suite-after": "36000" }, maxRetries: 2 };
  await assert.rejects(chat("hi", {}, options), OpenAI.RateLimitError);
});

const endless = "Please count slowly, from one to a thousand.";

// Until the server's record is so, or ten seconds have passed.
const until = async (isSo) => {
  const end = performance.now() + 10_000;
  while (!isSo(await record())) {
    assert.ok(performance.now() < end, JSON.stringify(await record()));
    await sleep(20);
  }
};

test("a stream that is left stops the work", async () => {
  const { cancelled } = await record();
  const stream = await chat(endless, { stream: true, max_tokens: 400 });
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
  await until((now) => now.cancelled > cancelled);
  assert.deepEqual(await record(), { running: 0, cancelled: cancelled + 1 });
  assert.ok((await chat("hi")).choices.length);
});

test("a request that is aborted stops the work", async () => {
  const before = await record();
  const abort = new AbortController();
  const asking = chat(endless, { max_tokens: 400 }, { signal: abort.signal });
  // It may end before its end is looked at.
  const ended = assert.rejects(asking, OpenAI.APIUserAbortError);
  await until(({ running }) => running === 1);
  abort.abort();
  await ended;
  await until(({ running, cancelled }) => running === 0 && cancelled === before.cancelled + 1);
});

test("responses, plain and stream", async () => {
  const ask = { model, input: "one two three", max_output_tokens: 24 };
  const answer = await client.responses.create(ask);
  words(answer.output_text, /^one two three$/);
  const stream = client.responses.stream(ask);
  let text = "";
  stream.on("response.output_text.delta", (event) => (text += event.delta));
  const final = await stream.finalResponse();
  assert.equal(final.output_text, text);
});

test("responses with tools and a second turn", async () => {
  const ask = { model, tools: [{ type: "function", ...weather }], max_output_tokens: 64 };
  const input = asked("Weather in Bern?");
  const first = await client.responses.create({ ...ask, input, tool_choice: "required" });
  const call = first.output.find((item) => item.type === "function_call");
  assert.ok(["Bern", "Basel"].includes(JSON.parse(call.arguments).city));
  input.push(...first.output);
  input.push({ type: "function_call_output", call_id: call.call_id, output: "rain" });
  const second = await client.responses.create({ ...ask, input, tool_choice: "none" });
  words(second.output_text, /rain/);
});

test("responses that would have to be stored are refused", async () => {
  const bad = OpenAI.BadRequestError;
  for (const [param, value] of [["previous_response_id", "resp_1"], ["store", true], ["background", true]]) {
    const ask = client.responses.create({ model, input: "hi", [param]: value });
    await refused(ask, bad, { param, code: "unsupported-field" });
  }
  await refused(client.responses.retrieve("resp_1"), OpenAI.NotFoundError, { code: "not-stored" });
});
