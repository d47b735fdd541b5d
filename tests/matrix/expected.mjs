// What the recorder's rows say that the events must be, and whether those that came are.

import { asSent, bytesOf, membersOf, quoted } from "./json.mjs";

/** What a notification carries at the most, and what the number in it may need. */
const LIVE_BYTES = 7900;
const SLACK_BYTES = 40;

/** What an event says of this row: {text, lost: [names], maybe: [names]}. values are the JSON of table.told. */
function rowOf(table, definition, values, role) {
    const columns = table.told.map((column, at) => ({ column, json: asSent(values[at]) }));
    const sent = definition.columns ? definition.columns.map((name) => columns.find(({ column }) => column.name === name)).filter(Boolean) : columns;
    const lost = [];
    const maybe = [];
    const parts = [];
    for (const { column, json } of sent) {
        const fate = lossOf(column, json, definition, role);
        if (fate === "maybe") maybe.push(column.name);
        if (fate === "lost") lost.push(column.name);
        else parts.push([column.name, `${quoted(column.name)}:${json}`]);
    }
    return { text: `{${parts.map(([, text]) => text).join(",")}}`, parts, lost, maybe };
}

/** Whether this writer's trigger can make JSON of the value: "lost", "maybe" or undefined. */
function lossOf(column, json, definition, role) {
    let { lost } = column.type ?? {};
    if (typeof lost === "function") lost = lost(json);
    if (lost === "all") return "lost";
    if (lost === "maybe") return "maybe";
    if (lost === "rights" && (definition.durable || role !== "superuser")) return "lost";
    return undefined;
}

function idOf(table, values) {
    if (!table.key) return "null";
    const value = (name) => asSent(values[table.told.findIndex((column) => column.name === name)]);
    return table.key.length === 1 ? value(table.key[0]) : `{${table.key.map((name) => `${quoted(name)}:${value(name)}`).join(",")}}`;
}

/**
 * The events of one statement: {type, op, id, row, old, changed, alsoChanged, part}. part: "key" are those that say which keys are gone, which
 * come first; "leave"; "change".
 */
function eventsOf(table, definition, record, role) {
    const { op } = record;
    if (op === "TRUNCATE") return [{ type: "TRUNCATE", id: "null", part: "change" }];
    if (op === "INSERT")
        return record.new_in
            ? [{ type: "INSERT", id: idOf(table, record.new), row: rowOf(table, definition, record.new, role), part: "change" }]
            : [];
    if (op === "DELETE")
        return record.old_in
            ? [{ type: "DELETE", id: idOf(table, record.old), row: rowOf(table, definition, record.old, role), part: "change" }]
            : [];
    const [before, after] = [idOf(table, record.old), idOf(table, record.new)];
    if (!record.new_in) return record.old_in ? [{ type: "DELETE", op, id: before, part: "leave" }] : [];
    const row = rowOf(table, definition, record.new, role);
    if (!record.old_in) return [{ type: "INSERT", op, id: after, row, part: "change" }];
    const change = { type: "UPDATE", id: after, row, part: "change" };
    if (definition.old) {
        change.old = rowOf(table, definition, record.old, role);
        const sent = (name) => !definition.columns || definition.columns.includes(name);
        const named = table.told.map(({ name }, at) => ({ name, at })).filter(({ name }) => sent(name));
        const differs = ({ at }) => record.old[at] !== record.new[at];
        change.changed = named.filter(differs).map(({ name }) => name);
        change.alsoChanged = named.filter((one) => record.differs[one.at] && !differs(one)).map(({ name }) => name);
    }
    return before === after || !table.key ? [change] : [{ type: "DELETE", op, id: before, part: "key" }, change];
}

/** records: those of one definition, each with the model of its time; grouped by statement. A list of lists of events. */
export function expectedEvents(definition, records, role) {
    const groups = new Map();
    for (const record of records) {
        if (!groups.has(record.statement)) groups.set(record.statement, []);
        const events = eventsOf(record.table, definition, record, role).map((event) => ({ ...event, table: record.table, schema: record.schema }));
        groups.get(record.statement).push(...events);
    }
    return [...groups].map(([statement, events]) => ({ statement, events })).filter(({ events }) => events.length > 0);
}

/** Of an event that came: its members, raw, but those that are the channel's and not the change's. */
export function arrived(data) {
    const event = Object.fromEntries(membersOf(data).map(([name, value]) => [JSON.parse(name), value]));
    for (const name of ["channel", "at", "txid", "_"]) delete event[name];
    return event;
}

const list = (names) => `[${names.map(quoted).join(",")}]`;

/** What is wrong with `event`, which should be `wanted`: a sentence, or undefined. */
function difference(event, wanted, definition) {
    const is = (name, value) => (event[name] !== value ? `${name} is ${short(event[name])} and should be ${short(value)}` : undefined);
    const cut = event.cut ? JSON.parse(event.cut) : [];
    const fit = fits(wanted, definition);
    const wrong = [is("schema", quoted(wanted.schema)), is("table", quoted(wanted.table.watched())), is("type", quoted(wanted.type))];
    wrong.push(is("op", wanted.op && wanted.op !== wanted.type ? quoted(wanted.op) : undefined));
    if (cut.includes("id")) wrong.push(fit.id ? "id is cut, and would fit" : is("id", "null"));
    else wrong.push(is("id", wanted.id));
    for (const [member, row] of [
        ["data", wanted.row],
        ["old", wanted.old],
    ]) {
        if (cut.includes(member)) {
            wrong.push(fit[member] || !row ? `${member} is cut, and would fit` : is(member, member === "data" ? "null" : undefined));
        } else {
            const absent = member === "data" ? "null" : undefined;
            wrong.push(row ? rowDifference(member, event[member], row, cut) : is(member, absent));
        }
    }
    wrong.push(changedDifference(event, wanted, cut, fit));
    const known = /^(data|old|id|changed|(data|old)\..*)$/s;
    for (const name of cut) if (!known.test(name)) wrong.push(`cut names ${JSON.stringify(name)}`);
    return wrong.filter(Boolean).join("; ") || undefined;
}

function rowDifference(member, text, row, cut) {
    if (text === undefined) return `${member} is missing`;
    const gone = cut.filter((name) => name.startsWith(`${member}.`)).map((name) => name.slice(member.length + 1));
    const wanted = new Set([...row.lost, ...row.maybe.filter((name) => gone.includes(name))]);
    for (const name of row.lost) if (!gone.includes(name)) return `cut does not say that ${member}.${name} could not be made JSON: ${short(text)}`;
    for (const name of gone) if (!wanted.has(name)) return `cut names ${member}.${name}, which can be made JSON`;
    const whole = `{${row.parts
        .filter(([name]) => !wanted.has(name))
        .map(([, part]) => part)
        .join(",")}}`;
    if (text === whole) return undefined;
    const loose = row.maybe.some((name) => !wanted.has(name));
    if (
        loose &&
        membersOf(text)
            .map(([name]) => name)
            .join() ===
            membersOf(whole)
                .map(([name]) => name)
                .join()
    )
        return undefined;
    const [a, b] = [membersOf(text), membersOf(whole)];
    const odd = a.find(([name, value], at) => b[at]?.[0] !== name || b[at][1] !== value) ?? ["", "it ends early"];
    const should = b.find(([name]) => name === odd[0]);
    const order = a.map(String).sort().join() === b.map(String).sort().join() ? " (only the order of members)" : "";
    return `${member} differs${order}: ${short(odd[0])} is ${short(odd[1])} and should be ${short(should?.[1])}`;
}

function changedDifference(event, wanted, cut, fit) {
    if (cut.includes("changed")) return fit.changed ? "changed is cut, and would fit" : undefined;
    if (!wanted.changed) return event.changed === undefined ? undefined : `changed is ${short(event.changed)} and should not be there`;
    if (event.changed === undefined) return "changed is missing";
    const names = JSON.parse(event.changed);
    const extra = names.filter((name) => !wanted.changed.includes(name) && !wanted.alsoChanged.includes(name));
    const missing = wanted.changed.filter((name) => !names.includes(name));
    return extra.length + missing.length > 0 ? `changed is ${short(event.changed)} and should be ${short(list(wanted.changed))}` : undefined;
}

/** Which members a live event must have, because they fit: old goes first, then data, then the key or the names of what changed. */
function fits(wanted, definition) {
    if (definition.durable) return { data: true, old: true, id: true, changed: true };
    const head =
        bytesOf(
            `{"schema":${quoted(wanted.schema)},"table":${quoted(wanted.table.watched())},"type":"TRUNCATE","op":"UPDATE","_":,"id":,"data":,"cut":["data"]}`,
        ) + SLACK_BYTES;
    const size = (text) => (text === undefined ? 0 : bytesOf(text));
    const lost = [...(wanted.row?.lost ?? []), ...(wanted.row?.maybe ?? [])].reduce((sum, name) => sum + bytesOf(name) + 20, 0);
    const changed = wanted.changed ? bytesOf(`,"changed":${list([...wanted.changed, ...wanted.alsoChanged])}`) : 0;
    const id = size(wanted.id);
    const data = size(wanted.row?.text) + lost;
    const old = wanted.old ? bytesOf(`,"old":${wanted.old.text}`) + 2 * lost : 0;
    return {
        old: head + id + data + old + changed <= LIVE_BYTES,
        data: head + id + data + changed + 30 <= LIVE_BYTES,
        id: head + id + changed + 40 <= LIVE_BYTES,
        changed: head + changed + 40 <= LIVE_BYTES,
    };
}

export function short(text) {
    if (text === undefined) return "nothing";
    return text.length > 160 ? `${text.slice(0, 120)}... (${text.length} letters)` : text;
}

/** Compares all events of a definition: a list of failures {kind, text, statement}. */
export function compareEvents(groups, came, definition) {
    let at = 0;
    for (const { statement, events } of groups) {
        const { failure, taken } = compareStatement(events, came.slice(at), definition);
        if (failure) return [{ kind: "events", text: failure, statement }];
        at += taken;
    }
    const next = came[at];
    return next ? [{ kind: "events", text: `an event too many: ${short(JSON.stringify(next))}`, statement: groups.at(-1)?.statement }] : [];
}

const what = (event) => `${event.type}${event.op && event.op !== event.type ? ` by ${event.op}` : ""} of ${short(event.id)}`;
const GONE = "DELETE by UPDATE";

/**
 * Takes from the events that came those of one statement: {taken, failure}. The events of one kind come in the order of their rows, but for keys that are gone. Kinds may come
 * one after the other, as statement triggers of MERGE and of upserts do; the replay sees whether that is right. A key that another row of the statement has moved
 * into need not be told as gone.
 */
function compareStatement(events, came, definition) {
    const kindOf = ({ type, op }) => (op && op !== type ? `${type} by ${op}` : type);
    const lanes = Object.groupBy(events, kindOf);
    // A row that is inserted has not moved: what is gone behind it is that row itself.
    const movedInto = new Set(events.filter(({ part, type, op, id }) => part === "change" && (type === "UPDATE" || op) && id !== "null").map(({ id }) => id));
    const isNeeded = (event) => kindOf(event) !== GONE || !movedInto.has(event.id);
    let needed = events.filter(isNeeded).length;
    let taken = 0;
    for (const event of came) {
        // A key that is gone stands before its own change: behind the last change begins another statement.
        if (needed === 0) break;
        const lane = lanes[kindOf({ type: JSON.parse(event.type), op: event.op && JSON.parse(event.op) })] ?? [];
        const isGone = lane === lanes[GONE];
        const index = isGone ? lane.findIndex((wanted) => !difference(event, wanted, definition)) : 0;
        const wanted = lane[Math.max(index, 0)];
        if (!wanted || index < 0) {
            const all = Object.values(lanes).flat().slice(0, 5).map(what).join(", ");
            return { failure: `${what(event)} came, where one of ${all} should${wanted ? `: ${difference(event, wanted, definition)}` : ""}` };
        }
        const wrong = difference(event, wanted, definition);
        if (wrong) return { failure: `${what(wanted)}: ${wrong}` };
        lane.splice(index, 1);
        if (isNeeded(wanted)) needed--;
        taken++;
    }
    if (needed === 0) return { taken };
    const missing = Object.values(lanes).flat().find(isNeeded);
    return { failure: `only ${taken} of ${events.length} events came; missing is ${what(missing)}` };
}

/**
 * Over a Map: delete on DELETE, clear on TRUNCATE, set on everything else. What it holds in the end must be the table's rows (those of `where`, with a
 * condition). rows: {id, row} as the table has them.
 */
export function compareReplay(came, rows) {
    const view = new Map();
    for (const event of came) {
        if (event.cut && JSON.parse(event.cut).includes("id")) return [];
        if (event.type === '"TRUNCATE"') view.clear();
        else if (event.type === '"DELETE"') view.delete(event.id);
        else view.set(event.id, event);
    }
    for (const { id, row } of rows) {
        const event = view.get(id);
        if (!event) return [{ kind: "replay", text: `a client lacks the row ${short(id)}` }];
        view.delete(id);
        const cut = event.cut ? JSON.parse(event.cut) : [];
        if (cut.some((name) => name === "data" || name.startsWith("data."))) continue;
        if (event.data !== row.text && row.maybe.length === 0)
            return [{ kind: "replay", text: `a client holds ${short(event.data)} of ${short(id)}; the table has ${short(row.text)}` }];
    }
    if (view.size > 0)
        return [{ kind: "replay", text: `a client holds ${view.size} rows that the table has not, such as ${short([...view.keys()][0])}` }];
    return [];
}

export const rowsOf = (table, definition, contents, role) =>
    contents.map((values) => ({ id: idOf(table, values), row: rowOf(table, definition, values, role) }));
