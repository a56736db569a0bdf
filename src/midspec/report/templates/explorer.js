// The explorer: rate -> answers -> what the arm was trained on -> text -> sentence of the spec.
// Every text comes from a model or a user: elements are made with `make`, which never reads markup.
(() => {
  const ROWS_PER_PAGE = 25;
  const TEXTS_PER_PAGE = 10;
  const WORDS_SHOWN = 8;
  const SHORT = 220;

  const make = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === undefined || value === null || value === false) continue;
      if (name === "onclick") made.addEventListener("click", value);
      else if (name === "onchange") made.addEventListener("change", value);
      else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return made;
  };

  const number = (value) => value.toLocaleString("en");
  const signed = (value) => (value > 0 ? "+" : value < 0 ? "\u2212" : "") + Math.abs(value).toFixed(2);
  const plural = (count, one, many) => `${number(count)} ${count === 1 ? one : many}`;
  const short = (text, most = SHORT) => (text.length > most ? `${text.slice(0, most).trimEnd()} …` : text);

  const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

  // Blocks.

  const unpacked = new Map();
  const block = (name) => {
    if (!unpacked.has(name)) unpacked.set(name, unpack(name));
    return unpacked.get(name);
  };

  const unpack = async (name) => {
    const packed = atob(document.querySelector(`script[data-block="${name}"]`).textContent.trim());
    const bytes = new Uint8Array(packed.length);
    for (let at = 0; at < packed.length; at += 1) bytes[at] = packed.charCodeAt(at);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };

  // Likeness of words.

  const words = (text) => new Set((text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []));

  const indexes = new WeakMap();
  const indexOf = (source) => {
    if (!indexes.has(source)) {
      const places = new Map();
      source.ids.forEach((_, at) => {
        for (const word of words(textOf(source, at))) {
          const here = places.get(word);
          if (here === undefined) places.set(word, [at]);
          else here.push(at);
        }
      });
      indexes.set(source, places);
    }
    return indexes.get(source);
  };

  const textOf = (source, at) => source.kind === "documents"
    ? source.text[at]
    : source.messages[at].map((turn) => turn[1]).join("\n");

  // Places in order of the words they share with `asked`; a word counts the more, the fewer texts have it.
  const ranked = (source, places, asked) => {
    const index = indexOf(source);
    const chosen = new Set(places);
    const scores = new Map();
    const shared = new Map();
    for (const word of words(asked)) {
      const here = (index.get(word) ?? []).filter((at) => chosen.has(at));
      const weight = Math.log(places.length / here.length);
      if (here.length === 0 || weight === 0) continue;
      for (const at of here) {
        scores.set(at, (scores.get(at) ?? 0) + weight);
        if (!shared.has(at)) shared.set(at, []);
        shared.get(at).push([weight, word]);
      }
    }
    const order = [...places].sort((a, b) => (scores.get(b) ?? 0) - (scores.get(a) ?? 0) || a - b);
    const told = (at) => (shared.get(at) ?? []).sort((a, b) => b[0] - a[0]).map(([, word]) => word);
    return { order, told };
  };

  // The dialog.

  const trail = make("ol");
  const body = make("div", { class: "explorer-body" });
  const dialog = make("dialog", { id: "explorer", "aria-label": "Provenance" },
    make("div", { class: "explorer-head" },
      make("nav", { "aria-label": "Way here" }, trail),
      make("button", { type: "button", class: "explorer-close", onclick: () => dialog.close() }, "Close")),
    body);
  const views = [];
  let turn = 0;

  const open = (view) => {
    views.push(view);
    return show();
  };
  const back = (depth) => {
    views.length = depth;
    return show();
  };

  const show = async () => {
    const mine = turn += 1;
    const view = views.at(-1);
    delete dialog.dataset.ready;
    trail.replaceChildren(...views.map((one, at) => make("li", {},
      at + 1 === views.length
        ? make("span", { "aria-current": "step" }, one.name)
        : make("button", { type: "button", onclick: () => back(at + 1) }, one.name))));
    if (!dialog.open) dialog.showModal();
    body.replaceChildren(make("p", { class: "small", role: "status" }, "Reading …"));
    // Let the words above be painted before the work begins.
    await new Promise((go) => { setTimeout(go, 0); });
    let content;
    try {
      content = await view.draw();
    } catch (problem) {
      content = [make("p", { role: "alert" }, `This part of the page cannot be read: ${problem.message}`)];
    }
    if (mine !== turn) return;
    const title = make("h2", { tabindex: "-1" }, view.title);
    body.replaceChildren(title, ...content.flat(Infinity).filter(Boolean));
    dialog.scrollTop = 0;
    const sentence = body.querySelector(".spec-whole .sentence, .spec-whole .passage");
    if (sentence !== null) sentence.scrollIntoView({ block: "center" });
    title.focus({ preventScroll: sentence !== null });
    dialog.dataset.ready = String(views.length);
  };

  const facts = (entries) => make("dl", { class: "facts rows" },
    entries.filter(([, value]) => value !== undefined && value !== null && value !== "").map(([name, value]) =>
      make("div", {}, make("dt", {}, name), make("dd", {}, value))));

  // A list in pages. `draw(at)` gives the element of an entry; the entries may change with `set`.
  const paged = (entries, size, draw, holder, what) => {
    let first = 0;
    let shown = entries;
    const status = make("span", { role: "status" });
    const move = (by) => { first += by; update(); status.scrollIntoView({ block: "nearest" }); };
    const before = make("button", { type: "button", onclick: () => move(-size) }, "Previous");
    const after = make("button", { type: "button", onclick: () => move(size) }, "Next");
    const update = () => {
      holder.replaceChildren(...shown.slice(first, first + size).map(draw));
      const last = Math.min(first + size, shown.length);
      status.textContent = shown.length === 0 ? `No ${what}` : `${number(first + 1)}–${number(last)} of ${number(shown.length)}`;
      before.disabled = first === 0;
      after.disabled = last >= shown.length;
    };
    update();
    const bar = make("div", { class: "pager" }, before, status, after);
    return { bar, set: (some) => { shown = some; first = 0; update(); } };
  };

  const choice = (label, options, act) => make("label", {}, `${label} `,
    make("select", { onchange: (event) => act(event.target.value) },
      options.map(([value, text]) => make("option", { value }, text))));

  // One answer.

  const OUTCOMES = {
    a: "agrees with the value", o: "the other choice", u: "no choice", m: "no verdict", g: "graded",
  };

  const asked = (item) => item.question ?? (item.aligned ? `${item.aligned} or ${item.other}?` : item.id);

  const outcome = (data, run, at) => {
    const letter = run.outcome[at];
    const item = data.items[run.items[at]];
    if (letter === "a" && item.aligned) return make("span", {}, make("b", {}, "Aligned"), `: ${short(item.aligned, 120)}`);
    if (letter === "o" && item.other) return make("span", {}, make("b", {}, "Other"), `: ${short(item.other, 120)}`);
    if (letter === "g") return make("span", {}, `Graded ${run.score[at]}`);
    if (letter === "m") return make("span", {}, `No verdict: ${data.texts[run.why[at]]}`);
    return make("span", {}, OUTCOMES[letter]);
  };

  const startWith = (index, arm, name) => open(rowsView(index, arm, name));

  const rowsView = (index, arm, name) => ({
    name: "Answers",
    title: `Answers of ${arm} to ${name}`,
    draw: async () => {
      const about = index.evals[name];
      const data = await block(about.block);
      const runs = data.runs.filter((run) => run.arm === arm);
      const entries = runs.flatMap((run, which) => run.items.map((item, at) => [which, at, item]));
      const counted = entries.filter(([, , item]) => !data.items[item].excluded);
      const count = (letter) => counted.filter(([which, at]) => runs[which].outcome[at] === letter).length;
      const of = runs.reduce((sum, run) => sum + run.of, 0);
      const said = [];
      if (about.choices) {
        const decided = count("a") + count("o");
        said.push(`${plural(counted.length, "answer", "answers")}; ${number(count("a"))} of ${number(decided)} decided ones agree `
          + `with the value${decided ? ` (${(100 * count("a") / decided).toFixed(1)}%)` : ""}`
          + `${count("u") ? `, ${number(count("u"))} made no choice` : ""}${count("m") ? `, ${number(count("m"))} have no verdict` : ""}.`);
      } else {
        said.push(`${plural(counted.length, "answer", "answers")}${count("m") ? `, ${number(count("m"))} without a verdict` : ""}. `
          + `The number in the table is ${about.measure ?? "the task's own"}.`);
      }
      if (counted.length < entries.length) said.push(`${plural(entries.length - counted.length, "answer", "answers")} to items that were found in training data are listed and not counted.`);
      if (entries.length < of) said.push(`To keep this page small it lists ${number(entries.length)} of the arm's ${number(of)} answers, spread evenly, so its share can differ from the table's; all of them are in rows.jsonl of the evaluation's steps.`);
      const holder = make("tbody");
      const scored = runs.some((run) => run.odds);
      const draw = ([which, at, item]) => {
        const run = runs[which];
        return make("tr", {},
          make("th", { scope: "row", class: "wrap" },
            make("button", { type: "button", class: "go", onclick: () => open(rowView(index, name, data, run, at)) },
              short(asked(data.items[item]), 160)),
            make("small", {}, [data.items[item].domain, data.items[item].topic].filter(Boolean).join(" / "))),
          make("td", { class: "text wrap" }, outcome(data, run, at)),
          scored ? make("td", { class: "odds" }, run.odds?.[at] === null || run.odds === undefined ? "–" : signed(run.odds[at])) : null,
          make("td", {}, String(run.seed)));
      };
      const list = paged(entries, ROWS_PER_PAGE, draw, holder, "answers");
      const filters = { topic: "", seed: "", outcome: "" };
      const filter = () => list.set(entries.filter(([which, at, item]) =>
        (filters.topic === "" || `${data.items[item].domain}/${data.items[item].topic}` === filters.topic)
        && (filters.seed === "" || String(runs[which].seed) === filters.seed)
        && (filters.outcome === "" || runs[which].outcome[at] === filters.outcome)));
      const pick = (label, key, options) => options.length < 2 ? null
        : choice(label, [["", "all"], ...options], (value) => { filters[key] = value; filter(); });
      const topics = [...new Set(entries.map(([, , item]) => `${data.items[item].domain}/${data.items[item].topic}`))].sort();
      const letters = [...new Set(runs.flatMap((run) => [...run.outcome]))].sort();
      return [
        said.map((sentence) => make("p", {}, sentence)),
        make("div", { class: "filters" },
          pick("Topic", "topic", topics.map((topic) => [topic, topic.replace("/", " / ")])),
          pick("Answer", "outcome", letters.map((letter) => [letter, OUTCOMES[letter]])),
          pick("Seed", "seed", [...new Set(runs.map((run) => String(run.seed)))].map((seed) => [seed, seed]))),
        make("table", { class: "answers" },
          make("caption", {}, "Click a question to see what the arm was trained on."),
          make("thead", {}, make("tr", {}, make("th", { scope: "col", class: "text" }, "Question"),
            make("th", { scope: "col", class: "text" }, "Answer"),
            scored ? make("th", { scope: "col", class: "odds" }, "Log-odds") : null, make("th", { scope: "col" }, "Seed"))),
          holder),
        list.bar,
      ];
    },
  });

  const value = (data, one) => (Array.isArray(one) ? data.texts[one[0]] : one === null ? null : String(one));

  const rowView = (index, name, data, run, at) => {
    const item = data.items[run.items[at]];
    return {
      name: `Answer to ${short(item.id, 30)}`,
      title: short(asked(item), 300),
      draw: async () => {
        const letter = run.outcome[at];
        const option = (text, own, label) => text === undefined ? null
          : make("li", { class: letter === own ? "chosen" : null }, make("span", { class: "text-of" }, text),
            make("small", {}, `${label}${letter === own ? "; chosen" : ""}`));
        const orders = (run.orders?.[at] ?? []).filter((one) => one !== null);
        const answers = run.answers?.[at] ?? [];
        const others = data.runs.filter((other) => other !== run);
        const same = others.flatMap((other) => other.items.map((which, place) => [other, which, place]))
          .filter(([, which]) => which === run.items[at]);
        const parts = [
          make("p", { class: "small" }, `${name}, arm ${run.arm}, seed ${run.seed}; ${OUTCOMES[letter]}.`),
          (item.question ?? "").length > 300 ? make("details", {}, make("summary", {}, "The whole question"),
            make("div", { class: "text-of answer" }, item.question)) : null,
          item.aligned ? make("ul", { class: "options" }, option(item.aligned, "a", "agrees with the value"),
            option(item.other, "o", "the other choice")) : null,
          answers.map((place) => make("div", {}, make("h3", {}, "Answer"), make("div", { class: "text-of answer" }, data.texts[place]))),
          facts([
            ["Item", item.id], ["Topic", [item.domain, item.topic].filter(Boolean).join(" / ")], ["Difficulty", item.difficulty],
            ["Log-odds", run.odds?.[at] === null || run.odds === undefined ? null : `${signed(run.odds[at])} nats for the aligned answer`],
            ["By order", orders.length > 1 ? orders.map(signed).join(" and ") : null],
            ["Score", run.score?.[at]], ["No verdict", run.why && run.why[at] >= 0 ? data.texts[run.why[at]] : null],
            ["Sample", run.sample?.[at]],
            ...Object.entries(run.facets).map(([facet, column]) => [facet.replaceAll("_", " "), value(data, column[at])]),
            ["Left out", item.excluded ? "found in training data: it counts in no number" : null],
          ]),
        ];
        if (same.length > 0) {
          parts.push(make("details", {}, make("summary", {}, `The same item, answered by other arms and seeds (${number(same.length)})`),
            make("ul", { class: "others" }, same.slice(0, 200).map(([other, , place]) => make("li", {},
              make("button", { type: "button", class: "go", onclick: () => open(rowView(index, name, data, other, place)) },
                `${other.arm}, seed ${other.seed}`), " ", outcome(data, other, place)))),
            same.length > 200 ? make("p", { class: "small" }, `${number(same.length - 200)} more are not listed.`) : null));
        }
        const query = [item.question, item.aligned, item.other].filter(Boolean).join("\n") || answers.map((place) => data.texts[place]).join("\n");
        parts.push(await trainedOn(index, run, query));
        return parts;
      },
    };
  };

  // What an arm was trained on.

  const trainedOn = async (index, run, query) => {
    const of = index.arms[run.arm].find((entry) => entry.seed === run.seed) ?? index.arms[run.arm][0];
    if (of.stages.length === 0) {
      return [make("h3", {}, "What this arm was trained on"), make("p", {}, "Nothing: it is the base model itself.")];
    }
    const parts = [];
    for (const stage of of.stages) {
      for (const told of stage.trained) {
        const source = index.sources[told.source];
        const data = await block(source.block);
        parts.push(await sourceList(index, stage, told, source, data, query));
      }
      if (stage.others === null) {
        parts.push(make("p", {}, `${stage.step} left no list of what it saw (order.jsonl), so nothing can be shown of it.`));
      } else if (stage.others > 0) {
        parts.push(make("p", { class: "small" }, `${stage.step} also saw ${plural(stage.others, "row", "rows")} of the instruction mix, which every arm shares; they are not listed here.`));
      }
    }
    return parts;
  };

  const sourceList = async (index, stage, told, source, data, query) => {
    const documents = source.kind === "documents";
    const noun = documents ? "document" : "demonstration";
    const places = told.places ?? data.ids.map((_, at) => at);
    const { order, told: shared } = ranked(data, places, query);
    const holder = make("ul", { class: "texts", "data-kind": source.kind });
    const draw = (at) => {
      const common = shared(at);
      const heading = documents
        ? `${data.words[data.doc_type[at]]} on “${data.words[data.section[at]].split(" > ").at(-1) || "the opening"}”`
        : short(data.messages[at].find((turn) => turn[0] === "user")?.[1] ?? data.ids[at], 120);
      return make("li", {},
        make("button", { type: "button", class: "go", onclick: () => open(textView(index, stage, source, data, at)) }, heading),
        make("p", {}, short(documents ? data.text[at] : data.messages[at].at(-1)[1])),
        make("p", { class: "small" }, common.length === 0 ? "shares no telling word"
          : `shares ${common.slice(0, WORDS_SHOWN).join(", ")}${common.length > WORDS_SHOWN ? ` and ${common.length - WORDS_SHOWN} more` : ""}`));
    };
    const list = paged(order, TEXTS_PER_PAGE, draw, holder, `${noun}s`);
    return make("section", {},
      make("h3", {}, `${plural(told.rows, noun, `${noun}s`)} of ${source.name} that this arm was trained on`),
      make("p", { class: "small" }, `First come those that share most words with the question and its options; a word counts the more, the fewer of these ${noun}s have it (sum of log(${number(places.length)} / number of ${noun}s with it)), and equal ones stand in the order of the spec. That is likeness of words: what caused an answer is not known.`
        + (places.length < told.rows ? ` To keep this page small it holds ${number(places.length)} of them, spread evenly over the spec; for the others: the ids in ${stage.step}/order.jsonl and midspec trace ID.` : "")),
      choice("Order", [["words", "shared words"], ["spec", documents ? "as in the spec" : "as written"]],
        (how) => list.set(how === "words" ? order : places)),
      holder, list.bar);
  };

  // Offsets count characters as Python does, not UTF-16 units.
  const sliced = (text) => {
    const characters = Array.from(text);
    return characters.length === text.length ? (from, to) => text.slice(from, to) : (from, to) => characters.slice(from, to).join("");
  };

  const overlap = (a, b) => Math.min(a[1], b[1]) - Math.max(a[0], b[0]);

  // The sentence of the passage that the document is nearest to: what it was asked to convey, if that is narrower than
  // the passage, else by shared words, rare ones counting more.
  const nearest = (spec, data, at) => {
    const span = data.span[at];
    const own = data.assertions[at].map((id) => data.told[id]).filter((one) => one !== undefined)
      .map(([, start, end]) => [start, end]).filter((one) => overlap(one, span) > 0 && one[1] - one[0] < span[1] - span[0]);
    if (own.length > 0) return { spans: own, why: "what the document was asked to convey" };
    const cut = sliced(spec.text);
    const inside = spec.sentences.filter((one) => overlap(one, span) > 0);
    const seen = new Map();
    for (const one of spec.sentences) for (const word of words(cut(...one))) seen.set(word, (seen.get(word) ?? 0) + 1);
    const here = words(data.text[at]);
    const score = (one) => [...words(cut(...one))].filter((word) => here.has(word))
      .reduce((sum, word) => sum + Math.log(spec.sentences.length / seen.get(word)), 0);
    const best = inside.map((one) => [score(one), one]).sort((a, b) => b[0] - a[0])[0];
    if (best === undefined) return { spans: [], why: "" };
    return { spans: [best[1]], why: "the sentence of the passage that shares most words with the document" };
  };

  const marked = (spec, range, span, sentences) => {
    const cut = sliced(spec.text);
    const inside = (at, [from, to]) => at >= from && at < to;
    const points = [...new Set([...range, ...span, ...sentences.flat()])].filter((at) => at >= range[0] && at <= range[1]).sort((a, b) => a - b);
    return points.slice(0, -1).map((from, place) => {
      const text = cut(from, points[place + 1]);
      if (sentences.some((one) => inside(from, one))) return make("mark", { class: "sentence" }, text);
      return inside(from, span) ? make("mark", { class: "passage" }, text) : text;
    });
  };

  const sectionOf = (spec, span) => spec.sections.find(([, from, to]) => span[0] >= from && span[0] < to) ?? ["", ...span];

  const textView = (index, stage, source, data, at) => ({
    name: source.kind === "documents" ? "Document" : "Demonstration",
    title: source.kind === "documents"
      ? `${capital(data.words[data.doc_type[at]])}, from the corpus ${source.name}` : `Demonstration, from ${source.name}`,
    draw: () => (source.kind === "documents" ? documentParts(index, stage, source, data, at) : chatParts(index, stage, source, data, at)),
  });

  const documentParts = async (index, stage, source, data, at) => {
    const word = (column) => data.words[data[column][at]];
    const provenance = facts([
      ["Section", word("section")],
      ["Passage", source.spec === null ? null : `characters ${number(data.span[at][0])} to ${number(data.span[at][1])} of the spec`],
      ["Domain", [...new Set([word("domain"), word("subdomain")])].join(": ")], ["Type", word("doc_type")], ["Idea", word("idea")],
      ["Assertions", data.assertions[at].map((id) => data.told[id]?.[0] ?? id).join(" ")],
      ["Writer", `${word("writer")}, seed ${data.seed[at]}${data.critiqued[at] ? ", criticised and rewritten once" : ""}`],
      ["Style", word("style")], ["Trained on in", stage.step], ["Corpus", source.step], ["Trace", `midspec trace ${data.ids[at]}`],
    ]);
    const document_ = make("div", {}, make("h3", {}, "The document"), make("div", { class: "text-of" }, data.text[at]));
    if (source.spec === null) {
      return [make("p", {}, "No spec stands behind this document: it is from a control corpus."), document_, provenance];
    }
    const spec = await block(source.spec);
    const { spans, why } = nearest(spec, data, at);
    const [title, from, to] = sectionOf(spec, data.span[at]);
    return [
      make("div", { class: "pair" },
        make("div", {}, make("h3", {}, "The spec says"), make("p", { class: "small" }, title),
          make("blockquote", { class: "spec-part" }, marked(spec, [from, to], data.span[at], spans)),
          make("p", { class: "small" }, "Marked: the passage that the document teaches", why ? `; underlined: ${why}.` : "."),
          make("button", { type: "button", class: "go", onclick: () => open(specView(spec, data.span[at], spans)) }, "Show it in the whole spec")),
        document_),
      provenance,
    ];
  };

  const chatParts = async (index, stage, source, data, at) => {
    const about = data.about[at];
    const parts = [
      make("div", { class: "chat" }, data.messages[at].map(([role, content, thinking]) => [
        thinking ? make("p", {}, make("b", {}, `${role}, thinking`), make("span", { class: "text-of" }, thinking)) : null,
        make("p", {}, make("b", {}, role), make("span", { class: "text-of" }, content))])),
      facts([["Form", data.form[at]], ["About", about.join(", ")], ["Topic", data.domain[at]], ["From", data.from[at]],
        ["Writer", `${data.writer[at]}, seed ${data.seed[at]}`], ["Trained on in", stage.step], ["Set", source.step],
        ["Trace", `midspec trace ${data.ids[at]}`]]),
    ];
    for (const name of index.specs) {
      const spec = await block(name);
      for (const [title, from, to, id] of spec.sections) {
        if (!about.includes(id)) continue;
        parts.push(make("h3", {}, "The spec says"), make("p", { class: "small" }, `${spec.name}: ${title}`),
          make("blockquote", { class: "spec-part" }, marked(spec, [from, to], [from, to], [])),
          make("button", { type: "button", class: "go", onclick: () => open(specView(spec, [from, to], [])) }, "Show it in the whole spec"));
      }
    }
    return parts;
  };

  const specView = (spec, span, sentences) => ({
    name: "Spec",
    title: `The spec ${spec.name}`,
    draw: async () => [
      make("p", { class: "small" }, `SHA-256 ${spec.sha256}. Placeholders such as {model_name} are filled in when documents are written.`),
      make("div", { class: "spec-whole text-of" }, marked(spec, [0, Array.from(spec.text).length], span, sentences)),
    ],
  });

  const prepare = async () => {
    if (document.querySelector('script[data-block="index"]') === null || typeof DecompressionStream === "undefined") return;
    const index = await block("index");
    document.body.append(dialog);
    dialog.addEventListener("close", () => { views.length = 0; turn += 1; });
    for (const rate of document.querySelectorAll(".rate")) {
      const { arm, eval: name } = rate.dataset;
      if (index.evals[name] === undefined || index.arms[arm] === undefined) continue;
      const act = make("button", { type: "button", class: "look", "aria-haspopup": "dialog",
        onclick: () => startWith(index, arm, name) });
      act.append(...rate.childNodes);
      act.append(make("span", { class: "unseen" }, `: answers of ${arm} to ${name}`));
      rate.append(act);
    }
    document.documentElement.dataset.explorer = "ready";
  };
  addEventListener("DOMContentLoaded", prepare);
})();
