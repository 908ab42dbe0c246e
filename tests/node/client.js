'use strict';
// Runs immudb's Node client against the ledgers of a test. It writes and reads, and the client verifies the responses.
//
//   node tests/node/client.js SERVER...          SERVER: PORT/DATABASE
//
// tests/support/clients.rs describes the output, which is the same for all clients. tests/node/package.json has
// the version of the client, and NODE_PATH is the directory where it is installed. The client does not verify signatures.

const fs = require('fs');
const path = require('path');
const ImmudbClient = require('immudb-node').default;

const ROUNDS = 12;
// Timeouts in milliseconds. After some invalid responses the client never settles its promise, so the later reads have a shorter
// timeout.
const FIRST_TIMEOUT = 60000;
const LATER_TIMEOUT = 8000;

/** Opens a database, writes and reads, and returns the client. */
async function begin(server) {
  const [port, database] = server.split('/');
  const config = { host: '127.0.0.1', port, rootPath: path.join(fs.mkdtempSync('states'), 'state') };
  const client = new ImmudbClient(config);
  await client.initClient('immudb', 'immudb', database, true, true);
  const run = `node/${process.pid}/${Date.now()}`;
  const key = (number) => `${run}/${number}`;
  const value = (number) => `value ${number}`;
  for (let number = 0; number < ROUNDS; number += 1) {
    const set = await client.verifiedSet({ key: key(number), value: value(number) });
    await client.set({ key: key(-1 - number), value: 'between' });
    for (const back of [number, Math.floor(number / 2)]) {
      same(await client.verifiedGet({ key: key(back) }), value(back));
    }
    await client.verifiedSet({ key: key(number), value: 'again' });
    same(await client.verifiedGetAt({ key: key(number), attx: set.id }), value(number));
    await client.verifiedSet({ key: key(number), value: value(number) });
  }
  await client.verifiedSetReference({ key: key(1000), referencedKey: key(3) });
  same(await client.verifiedGet({ key: key(1000) }), value(3));
  const added = await client.verifiedZAdd({ set: run, score: 1.5, key: key(3) });
  for (let tx = 1; tx <= added.id; tx += 7) {
    await client.verifiedTxById({ tx });
  }
  return client;
}

function same(entry, expected) {
  if (entry === undefined || entry.value !== expected) {
    throw new Error(`the client read ${JSON.stringify(entry)} instead of ${expected}`);
  }
}

/** Reads an entry that was written after `begin`, and an old entry. */
async function goOn(client) {
  for (const key of ['later', 'key/10']) {
    if (await client.verifiedGet({ key }) === undefined) {
      throw new Error(`the client read no entry for ${key}`);
    }
  }
}

/**
 * Returns the result of `work` and the line to print. After an invalid response the client writes to the console and rejects its
 * promise without an error.
 */
async function outcome(name, timeout, work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('the client accepted no response in time')), timeout);
  });
  try {
    return [await Promise.race([work(), late]), `${name} verified`];
  } catch (error) {
    return [undefined, `${name} refused: ${String((error && error.message) || error).replace(/\n/g, ' ')}`];
  } finally {
    clearTimeout(timer);
  }
}

async function main() {
  console.log = console.error;
  const print = (outcomes) => outcomes.forEach(([, line]) => process.stdout.write(`${line}\n`));
  const servers = process.argv.slice(2);
  const begun = await Promise.all(servers.map((server) => outcome(server, FIRST_TIMEOUT, () => begin(server))));
  print(begun);
  process.stdout.write('ready\n');
  await new Promise((resolve) => process.stdin.once('data', resolve).once('end', resolve));
  print(await Promise.all(begun.map(([client], i) => outcome(servers[i], LATER_TIMEOUT, () => goOn(client)))));
  process.exit(0);
}

// The client handles uncaught exceptions and continues, so this handler has to end the process.
main().catch(() => process.exit(1));
