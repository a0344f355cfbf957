// Graphviz, as WebAssembly: DOT on standard input, SVG on standard output.
import { text } from "node:stream/consumers";
import { instance } from "@viz-js/viz";

const viz = await instance();
process.stdout.write(viz.renderString(await text(process.stdin), { format: "svg", engine: "dot" }));
