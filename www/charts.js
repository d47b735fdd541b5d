// Two charts of the last five minutes, by uPlot: changes per second, and delivery latency. Drawn once a second while they can be seen.

import { $, setText } from "./dom.js";
import { clockSeconds } from "./plain_text.js";
import { milliseconds, number } from "./words.js";
import uPlot from "./vendor/uplot.js";

const HEIGHT = 96; // CSS pixels
const WHOLE_STEPS = [1, 10, 100, 1000, 10_000, 100_000].flatMap((step) => [step, 2 * step, 5 * step]);

export class Charts {
    #meter;
    #charts = []; // { element, plot, columns, format, now }
    #columns = [[], [], [], []];

    constructor(meter) {
        this.#meter = meter;
        this.#charts = [
            { element: $("rate-chart"), now: $("rate-now"), columns: [0, 1], format: number, name: "Changes per second", bars: true },
            { element: $("latency-chart"), now: $("latency-now"), columns: [0, 3, 2], format: milliseconds, name: "Delivery latency, worst and median of each second" },
        ];
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#make());
        new ResizeObserver(() => this.#fit()).observe($("charts-card"));
        $("charts-card").addEventListener("toggle", () => this.draw());
        this.#make();
        setInterval(() => this.draw(), 1000);
    }

    draw() {
        if (document.hidden || !$("charts-card").open || !$("charts-card").checkVisibility()) return;
        this.#columns = this.#meter.series();
        const known = this.#columns[2].some((value) => value !== null);
        $("latency-figure").hidden = !known;
        for (const chart of this.#charts) {
            if (chart.element.offsetWidth === 0) continue;
            chart.plot.setData(chart.columns.map((column) => this.#columns[column]));
            this.#describe(chart);
        }
    }

    // What a chart says to those who do not see it, and in a word above it.
    #describe(chart) {
        const values = this.#columns[chart.columns.at(-1)].filter((value) => value !== null);
        const highest = Math.max(0, ...this.#columns[chart.columns[1]].filter((value) => value !== null));
        const last = values.at(-1) ?? 0;
        chart.element.setAttribute(
            "aria-label",
            `${chart.name} over the last five minutes: now ${chart.format(last)}, at most ${chart.format(highest)}.`,
        );
        if (chart.plot.cursor.idx === null || chart.plot.cursor.left < 0) setText(chart.now, chart.format(last));
    }

    #fit() {
        for (const { element, plot } of this.#charts) {
            const width = element.clientWidth;
            if (width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT });
        }
    }

    #make() {
        const style = getComputedStyle(document.documentElement);
        const colour = (name) => resolved(style.getPropertyValue(name));
        for (const chart of this.#charts) {
            chart.plot?.destroy();
            chart.plot = new uPlot(options(chart, colour, (index) => this.#point(chart, index)), this.#columns.slice(0, chart.columns.length), chart.element);
        }
        this.#fit();
        this.draw();
    }

    // The pointer is on one second: its value stands above the chart.
    #point(chart, index) {
        if (index === null || index === undefined) return this.#describe(chart);
        const value = this.#columns[chart.columns.at(-1)][index];
        const when = clockSeconds(new Date(this.#columns[0][index] * 1000));
        setText(chart.now, `${when}  ${value === null || value === undefined ? "–" : chart.format(value)}`);
    }
}

// light-dark() as it is now: the canvas wants a plain colour.
function resolved(value) {
    const probe = document.createElement("span");
    probe.style.color = value;
    document.body.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
}

function options(chart, colour, onPoint) {
    const axis = { stroke: colour("--soft"), font: "11px system-ui, sans-serif", ticks: { show: false }, border: { show: false } };
    const accent = colour("--accent");
    const line = { stroke: accent, width: 1.5, points: { show: false }, spanGaps: false };
    const faint = { ...line, stroke: colour("--field"), width: 1 };
    const area = { ...line, fill: colour("--glow"), paths: uPlot.paths.stepped({ align: 1 }) };
    return {
        width: Math.max(100, chart.element.clientWidth),
        height: HEIGHT,
        padding: [6, 16, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { show: false }, sync: { key: "seconds" } },
        scales: { x: { time: true }, y: { range: (_, __, most) => [0, Math.max(1, most) * 1.1] } },
        series: [{}, ...(chart.bars ? [area] : [{ ...faint }, { ...line, points: { show: true, size: 3, fill: accent } }])],
        axes: [
            { ...axis, size: 22, space: 40, incrs: [60, 120, 300], grid: { show: false }, values: (_, ticks) => ticks.map((at) => clockSeconds(new Date(at * 1000)).slice(0, 5)) },
            { ...axis, size: 44, space: 28, ...(chart.bars && { incrs: WHOLE_STEPS }), grid: { stroke: colour("--line-faint"), width: 1 }, values: (_, ticks) => ticks.map((value) => chart.format(value)) },
        ],
        hooks: { setCursor: [(plot) => onPoint(plot.cursor.idx)] },
    };
}
