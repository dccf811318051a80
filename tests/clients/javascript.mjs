// What tests/clients/javascript.py asks AWS's SDK for JavaScript to do; the answer is printed as JSON.
import * as omics from "@aws-sdk/client-omics";

const [does, text] = process.argv.slice(2);
const given = JSON.parse(text);
const client = new omics.OmicsClient({ endpoint: given.endpoint, region: given.region, disableHostPrefix: true });

// Bytes come as {"base64": "..."}.
function decoded(value) {
  if (value === null || typeof value !== "object") return value;
  if (typeof value.base64 === "string") return Buffer.from(value.base64, "base64");
  if (Array.isArray(value)) return value.map(decoded);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, decoded(each)]));
}

const input = decoded(given.input);
const send = () => client.send(new omics[`${given.command}Command`](input));

const actions = {
  send,
  refused: async () => {
    try {
      await send();
    } catch (error) {
      return [error.name, error.$metadata?.httpStatusCode];
    }
    return ["nothing", 200];
  },
  paginate: async () => {
    const items = [];
    for await (const page of omics[given.paginator]({ client, pageSize: given.size }, input))
      items.push(...(page.items ?? page.runs ?? []));
    return items;
  },
  wait: async () => {
    const result = await omics[given.waiter]({ client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, input);
    return result.state;
  },
};

try {
  console.log(JSON.stringify((await actions[does]()) ?? {}));
} catch (error) {
  console.error(`${error.name}: ${error.message}`);
  process.exit(1);
}
