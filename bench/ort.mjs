// SPDX-License-Identifier: MIT
//
// Our plans against ONNX Runtime on the same models, one thread each, in one run: batches of our fp32 plan, our w8a8
// plan and ONNX Runtime's session take turns, so that a slow spell of the machine meets all three.
//
//     node ort.mjs BENCH_ALL FOLDER MODEL...      FOLDER is where onnxruntime-node is installed
//
// Prints for each model the median time of a run and two ratios of our fp32 to ONNX Runtime: of the medians as they are,
// and after taking off ONNX Runtime's side what a call costs from node however small the model (printed first: a model
// of one addition). A ratio is the median of the rounds' own ratios. ROUNDS in the environment: more rounds.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import path from 'node:path';

const [bench, folder, ...models] = process.argv.slice(2);
const ort = createRequire(path.resolve(folder, 'package.json'))('onnxruntime-node');
const rounds = Number(process.env.ROUNDS ?? 25);
const batchNs = 15e6; // a batch takes about this long, and has at least 3 runs

const median = (x) => [...x].sort((a, b) => a - b)[x.length >> 1];

// The values that bench_serve.c feeds.
function fill(n) {
    const x = new Float32Array(n);
    let state = 1;
    for (let i = 0; i < n; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        x[i] = (state >>> 8) / 16777216;
    }
    return x;
}

// Our side: a process that runs when told to.
class Plan {
    static async open(model, precision) {
        const p = new Plan();
        p.child = spawn(bench, ['serve', model, precision], { stdio: ['pipe', 'pipe', 'pipe'] });
        p.errors = '';
        p.child.stderr.on('data', (d) => (p.errors += d));
        p.lines = createInterface({ input: p.child.stdout })[Symbol.asyncIterator]();
        const first = await p.lines.next();
        if (first.done) throw new Error(p.errors.trim());
        return p;
    }
    async ask(line) {
        this.child.stdin.write(line + '\n');
        return (await this.lines.next()).value;
    }
    async run(n) {
        return (await this.ask(`run ${n}`)).trim().split(' ').map(Number);
    }
    close() {
        this.child.stdin.end();
    }
}

// A tensor for a session's input. Dimensions without a size are 1, as our importer takes them.
function feed(meta) {
    const shape = meta.shape.map((d) => (typeof d === 'number' && d > 0 ? d : 1));
    const n = shape.reduce((a, b) => a * b, 1);
    if (meta.type === 'float32') return new ort.Tensor('float32', fill(n), shape);
    if (meta.type === 'int64') return new ort.Tensor('int64', new BigInt64Array(n), shape);
    throw new Error(`input "${meta.name}" is ${meta.type}`);
}

class Session {
    static async open(model) {
        const s = new Session();
        s.session = await ort.InferenceSession.create(model, {
            intraOpNumThreads: 1,
            interOpNumThreads: 1,
            executionMode: 'sequential',
            graphOptimizationLevel: 'all',
            logSeverityLevel: 3,
        });
        s.feeds = Object.fromEntries(s.session.inputMetadata.map((m) => [m.name, feed(m)]));
        s.outputs = await s.session.run(s.feeds);
        s.allocated = { ...s.outputs }; // later runs write into these
        return s;
    }
    async run(n) {
        const times = [];
        for (let i = 0; i < n; i++) {
            const begin = process.hrtime.bigint();
            await this.session.run(this.feeds, this.allocated);
            times.push(Number(process.hrtime.bigint() - begin));
        }
        return times;
    }
    first() {
        return Number(this.outputs[this.session.outputNames[0]].data[0]);
    }
}

// An ONNX file of one Relu on one value, as bytes: what a call costs when there is nothing to compute.
function tinyModel() {
    const field = (n, bytes) => [(n << 3) | 2, bytes.length, ...bytes];
    const number = (n, v) => [n << 3, v];
    const text = (n, s) => field(n, [...Buffer.from(s)]);
    const tensorType = [...number(1, 1), ...field(2, field(1, number(1, 1)))]; // float, shape [1]
    const value = (name) => [...text(1, name), ...field(2, field(1, tensorType))];
    const node = [...text(1, 'x'), ...text(2, 'y'), ...text(3, 'n'), ...text(4, 'Relu')];
    const graph = [...field(1, node), ...text(2, 'g'), ...field(11, value('x')), ...field(12, value('y'))];
    return new Uint8Array([...number(1, 8), ...field(7, graph), ...field(8, number(2, 13))]);
}

async function compare(model, callNs) {
    const name = path.basename(model).padEnd(38);
    let plan, quantized, session;
    try {
        session = await Session.open(model);
        plan = await Plan.open(model, 'fp32');
    } catch (e) {
        console.log(`${name} skipped: ${e.message}`);
        plan?.close();
        return;
    }
    quantized = await Plan.open(model, 'w8a8').catch(() => null);
    await session.run(20);
    const size = (ns) => Math.min(2000, Math.max(3, Math.round(batchNs / ns)));
    const n = { ort: size(median(await session.run(5))), fp32: size(median(await plan.run(5))) };
    if (quantized) n.w8a8 = size(median(await quantized.run(5)));
    const t = { ort: [], fp32: [], w8a8: [] };
    for (let r = 0; r < rounds; r++) {
        t.fp32.push(median(await plan.run(n.fp32)));
        t.ort.push(median(await session.run(n.ort)));
        if (quantized) t.w8a8.push(median(await quantized.run(n.w8a8)));
    }
    const ratio = median(t.fp32.map((x, i) => x / t.ort[i]));
    const corrected = median(t.fp32.map((x, i) => x / Math.max(t.ort[i] - callNs, 1)));
    const us = (x) => (x.length ? (median(x) / 1e3).toFixed(1) : '-').padStart(9);
    const [a, b] = [Number(await plan.ask('first')), session.first()];
    const close = Math.abs(a - b) <= 1e-4 * Math.max(1, Math.abs(b)) ? '' : `  first outputs differ: ${a} and ${b}`;
    console.log(`${name}${us(t.ort)}${us(t.fp32)}${us(t.w8a8)}${ratio.toFixed(2).padStart(9)}${corrected.toFixed(2).padStart(11)}${close}`);
    plan.close();
    quantized?.close();
    await session.session.release();
}

const { version } = createRequire(path.resolve(folder, 'package.json'))('onnxruntime-node/package.json');
console.log(`onnxruntime-node ${version}`);
const tiny = await Session.open(tinyModel());
await tiny.run(500);
const callNs = median(await tiny.run(2000));
console.log(`a call of ONNX Runtime from node with nothing to compute: ${(callNs / 1e3).toFixed(1)} us`);
console.log(`${'us per run, one thread'.padEnd(38)}      ORT     fp32     w8a8 fp32/ORT  corrected`);
for (const m of models) await compare(m, callNs);
