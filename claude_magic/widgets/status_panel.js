/**
 * The status panel's front end; `control.js` and `elements.js` stand before it. It computes
 * nothing: the kernel says what is shown and what can be done. Whatever comes from the kernel is set
 * as text, never as HTML, and only a person presses: no script's click counts.
 */

const BUTTONS = [
  ["connect", "Connect", "Start Claude Code, or resume the conversation"],
  ["stop", "Stop", "Stop the answer; what was said stays"],
  ["disconnect", "Disconnect", "Close Claude Code and keep the conversation"],
  ["fork", "Fork", "Go on with a copy of this conversation under another name"],
  ["reset", "Reset", "Begin a new conversation; this one's context is gone"],
];
const CHOICES = [
  ["model", "Model"],
  ["effort", "Effort"],
  ["permission_mode", "Permissions"],
];
const RESET_QUESTION = "Really? Context is lost";
const RESET_HINT = "Press again to reset. Escape keeps the conversation.";
const RESTARTS = "From the next prompt on, for which Claude Code starts again: half a second.";
const REACHING = "Reaching the kernel …";
const WAITING =
  "This front end reaches the kernel only between cells: the buttons work when the cell has ended.";
const LATE = "The kernel does this when its cell has ended.";

/** After so long, in milliseconds, a wait is explained. */
const PATIENCE_MS = 400;

/** What is shown when the kernel, and the session with it, is gone. */
const GONE = {
  state: "gone",
  sentence: "The kernel was restarted. Run the cell again for a panel that works.",
  granted: [],
  choices: {},
  actions: [],
};

const number = (value) => value.toLocaleString("en-US");
let panels = 0;

/** Set a text only where it changes: a live region announces every setting. */
function say(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
  node.hidden = !text;
}

function context(session) {
  const used = number(session.context_tokens);
  if (!session.window_tokens) {
    return `${used} tokens`;
  }
  const share = (100 * session.context_tokens) / session.window_tokens;
  const percent = share < 1 ? "<1" : Math.round(share);
  return `${used} of ${number(session.window_tokens)} tokens (${percent} %)`;
}

/** The facts below the state, as [name, text, title]; what is not known is left out. */
function facts(session) {
  if (!session.session_id) {
    return [];
  }
  const rows = [];
  if (session.model && session.turns) {
    rows.push(["Answered by", session.model]);
  }
  rows.push(["Turns", number(session.turns)]);
  if (session.input_tokens || session.output_tokens) {
    const cached = session.cached_tokens ? ` (${number(session.cached_tokens)} cached)` : "";
    const read = `${number(session.input_tokens)} in${cached}`;
    rows.push(["Tokens", `${read}, ${number(session.output_tokens)} out`]);
  }
  if (session.cost_usd > 0) {
    rows.push(["Cost", `$${session.cost_usd.toFixed(4)}`]);
  }
  if (session.context_tokens) {
    rows.push(["Context", context(session), "What the model read last, of what it can read"]);
  }
  if (session.memory_bytes) {
    const told = `${number(Math.round(session.memory_bytes / 2 ** 20))} MiB`;
    rows.push(["Memory", told, "What Claude Code and all that it started occupy"]);
  }
  rows.push(["Session", session.session_id.slice(0, 8), session.session_id]);
  return rows;
}

function renderFacts(list, session) {
  list.replaceChildren(
    ...facts(session).map(([name, text, title]) => {
      const row = element("div", `cm-fact cm-fact-${name.toLowerCase().replace(" ", "-")}`);
      const value = element("dd", "", text);
      row.append(element("dt", "", name), value);
      if (title) {
        value.title = title;
      }
      if (name === "Context" && session.window_tokens) {
        const share = Math.min(1, session.context_tokens / session.window_tokens);
        const bar = element("span", "cm-bar", "", { "aria-hidden": "true" });
        bar.style.setProperty("--cm-share", `${100 * share}%`);
        value.append(bar);
      }
      return row;
    }),
  );
}

/** Show what can be chosen; a list that is open is not touched unless it changes. */
function renderChoice(select, values, value) {
  const wanted = JSON.stringify(values);
  if (select.dataset.values !== wanted) {
    select.dataset.values = wanted;
    select.replaceChildren(
      ...values.map(([each, text]) => {
        const option = element("option", "", text);
        option.value = each;
        return option;
      }),
    );
  }
  // What was just chosen stays until the kernel has heard of it.
  if (!select.dataset.asked) {
    select.value = value;
  }
}

const able = (node) => node.getAttribute("aria-disabled") !== "true";

/**
 * A button that asks back within itself before it acts. A double click is one click; leaving the
 * button or pressing Escape takes the question back.
 */
function askBack(button, hint, act) {
  const label = button.textContent;
  const arm = (armed) => {
    if (armed !== button.classList.contains("cm-armed")) {
      button.classList.toggle("cm-armed", armed);
      button.textContent = armed ? RESET_QUESTION : label;
      hint.textContent = armed ? RESET_HINT : "";
    }
  };
  button.addEventListener("click", (event) => {
    if (!event.isTrusted || event.detail > 1 || !able(button)) {
      return;
    }
    const sure = button.classList.contains("cm-armed");
    arm(!sure);
    if (sure) {
      act();
    } else {
      // Safari does not focus a clicked button, and without focus there is no blur.
      button.focus();
    }
  });
  button.addEventListener("blur", () => arm(false));
  button.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && button.classList.contains("cm-armed")) {
      event.stopPropagation();
      arm(false);
    }
  });
  return () => arm(false);
}

/** Ask the kernel by the widget's comm, which may be heard only when its cell has ended. */
function askByComm(model, content) {
  return new Promise((resolve, reject) => {
    const id = randomId();
    const hear = (reply) => {
      if (reply.answers !== id) {
        return;
      }
      model.off("msg:custom", hear);
      if (reply.status === "ok") {
        resolve(reply);
      } else {
        reject(new Error(reply.reason));
      }
    };
    model.on("msg:custom", hear);
    model.send({ ...content, id });
  });
}

/** Call back whenever the node comes into sight again: scrolled to, or its tab shown. */
function whenSeen(node, callback) {
  let seen = true;
  const note = (now) => {
    if (now && !seen) {
      callback();
    }
    seen = now;
  };
  const observer = new IntersectionObserver((entries) => note(entries.at(-1).isIntersecting));
  observer.observe(node);
  const turned = () => document.visibilityState === "visible" && callback();
  document.addEventListener("visibilitychange", turned);
  return () => {
    observer.disconnect();
    document.removeEventListener("visibilitychange", turned);
  };
}

function render({ model, el }) {
  panels += 1;
  const id = (name) => `claude-magic-status-${panels}-${name}`;
  const card = element("section", "claude-magic-status", "", {
    "aria-label": "Claude Code sessions",
    ...QUIET,
  });
  const labelled = (name, label, className) => {
    const field = element("span", `cm-field ${className}`);
    const select = element("select", "cm-select", "", { id: id(name), ...QUIET });
    field.append(element("label", "", label, { for: id(name) }), select);
    return [field, select];
  };

  const head = element("div", "cm-head");
  const badge = element("span", "cm-badge");
  const [sessionField, sessions] = labelled("session", "Session", "cm-sessions");
  head.append(element("span", "cm-title", "Claude Code"), badge, sessionField);

  const state = element("div", "cm-state", "", { role: "status" });
  const word = element("span", "cm-word");
  const sentence = element("span", "cm-sentence");
  const reason = element("div", "cm-reason");
  state.append(element("span", "cm-dot", "", { "aria-hidden": "true" }), word, " ", sentence, reason);

  const list = element("dl", "cm-facts");

  const choices = new Map();
  const chooser = element("div", "cm-choices", "", { role: "group", "aria-label": "Next prompt" });
  for (const [name, label] of CHOICES) {
    const [field, select] = labelled(name, label, `cm-choice-${name}`);
    choices.set(name, select);
    chooser.append(field);
  }
  const widened = element("div", "cm-note cm-widened", "", { role: "status" });
  const restarts = element("div", "cm-note", "", { role: "status" });

  const rights = element("div", "cm-rights");
  const tools = element("span", "");
  const grants = element("ul", "cm-grants", "", { "aria-label": "Allowed in this session" });
  rights.append(element("span", "cm-label", "May use "), tools, grants);

  const row = element("div", "cm-buttons", "", { role: "group", "aria-label": "Actions" });
  const hint = element("span", "cm-unseen", "", { role: "status" });
  const way = element("div", "cm-note cm-way", "", { role: "status" });
  const error = element("div", "cm-error", "", { role: "alert" });
  const buttons = new Map();
  for (const [action, label, title] of BUTTONS) {
    const button = element("button", `cm-button cm-${action}`, label, { type: "button", title, ...QUIET });
    buttons.set(action, button);
    row.append(button);
  }
  card.append(head, state, list, chooser, widened, restarts, rights, row, hint, way, error);
  el.append(card);

  let over = false;
  let gone = false;
  /** How the kernel is reached; null while that is not known, which is when nothing can be done. */
  let send = null;
  let shown = model.get("shown");

  /** Ask the kernel; what takes long is explained. */
  async function request(content) {
    const timer = setTimeout(() => !over && say(way, LATE), PATIENCE_MS);
    try {
      const reply = await send(content);
      accept(reply.shown);
      say(error, "");
    } catch (failure) {
      if (!over) {
        say(error, failure.message);
        show();
      }
    } finally {
      clearTimeout(timer);
      if (!over && !gone) {
        say(way, "");
      }
    }
  }
  const act = (action, more = {}) => request({ do: action, session: shown.session.name, ...more });

  function accept(news) {
    if (!over && !gone && news.revision >= shown.revision) {
      shown = news;
      show();
    }
  }

  function choice(select, act) {
    select.addEventListener("change", (event) => {
      if (!event.isTrusted || !able(select)) {
        show();
        return;
      }
      const asked = randomId();
      select.dataset.asked = asked;
      act(select.value).finally(() => {
        if (select.dataset.asked === asked) {
          delete select.dataset.asked;
          show();
        }
      });
    });
    // A list cannot be read-only, and a disabled one would lose the focus.
    select.addEventListener("mousedown", (event) => !able(select) && event.preventDefault());
    select.addEventListener("keydown", (event) => {
      if (!able(select) && event.key !== "Tab") {
        event.preventDefault();
      }
    });
  }
  choice(sessions, (name) => request({ do: "view", session: name }));
  for (const [field, select] of choices) {
    choice(select, (value) => act("choose", { field, value }));
  }
  for (const [action, button] of buttons) {
    if (action !== "reset") {
      button.addEventListener("click", (event) => {
        if (event.isTrusted && event.detail <= 1 && able(button)) {
          act(action);
        }
      });
    }
  }
  const forgetReset = askBack(buttons.get("reset"), hint, () => act("reset"));

  function renderGrants(granted) {
    const wanted = JSON.stringify(granted);
    if (grants.dataset.granted !== wanted) {
      grants.dataset.granted = wanted;
      grants.replaceChildren(
        ...granted.map((rule) => {
          const item = element("li", "cm-grant");
          const button = element("button", "cm-revoke", "Revoke", {
            type: "button",
            "aria-label": `Revoke ${rule}`,
            title: "Ask for it again from now on",
            ...QUIET,
          });
          button.addEventListener("click", (event) => {
            if (event.isTrusted && able(button)) {
              act("revoke", { rule });
            }
          });
          item.append(element("code", "", rule), button);
          return item;
        }),
      );
    }
    grants.hidden = !granted.length;
  }

  let session = null;
  function show() {
    const view = gone ? GONE : shown.session;
    const works = send !== null && !gone;
    card.dataset.state = view.state;
    say(badge, view.label ?? "");
    const known = shown.sessions.map(([name, where]) => [name, `${name} · ${where}`]);
    renderChoice(sessions, gone ? [] : known, view.name ?? "");
    sessionField.hidden = gone;
    say(word, view.state);
    say(sentence, view.sentence);
    say(reason, view.reason ?? "");
    renderFacts(list, view);
    for (const [name, select] of choices) {
      const offered = view.choices[name];
      renderChoice(select, offered?.values ?? [], offered?.value ?? "");
    }
    chooser.hidden = gone;
    say(widened, view.widened ? `Claude ${view.widened}.` : "");
    say(restarts, view.restarts ? RESTARTS : "");
    rights.hidden = gone;
    say(tools, view.tools ?? "");
    renderGrants(view.granted);
    for (const [action, button] of buttons) {
      // Not `disabled`: that would take the focus away from whoever just pressed the button.
      const possible = works && view.actions.includes(action);
      button.setAttribute("aria-disabled", String(!possible));
    }
    for (const control of [sessions, ...choices.values(), ...grants.querySelectorAll("button")]) {
      control.setAttribute("aria-disabled", String(!works || view.state === "closed"));
    }
    sessions.setAttribute("aria-disabled", String(!works));
    if (view.session_id !== session || !able(buttons.get("reset"))) {
      session = view.session_id;
      forgetReset();
    }
  }

  /** Shake hands with the kernel, by the way that works while a cell is running if there is one. */
  async function reach() {
    const timer = setTimeout(() => !over && say(way, send ? "" : REACHING), PATIENCE_MS);
    const byControl = (content) => ask(model, { ...content, to: shown.address });
    const byComm = (content) => askByComm(model, content);
    try {
      if (!shown.control) {
        throw new Error("This kernel cannot be asked while a cell is running.");
      }
      const reply = await byControl({ do: "look" });
      send = byControl;
      accept(reply.shown);
    } catch {
      clearTimeout(timer);
      const late = setTimeout(() => !over && !gone && say(way, WAITING), PATIENCE_MS);
      const reply = await askByComm(model, { do: "look" }).finally(() => clearTimeout(late));
      send = byComm;
      accept(reply.shown);
    } finally {
      clearTimeout(timer);
    }
    if (!over && !gone) {
      say(way, "");
      show();
    }
  }

  const follow = () => accept(model.get("shown"));
  const leave = () => {
    gone = true;
    say(way, "");
    say(error, "");
    show();
  };
  model.on("change:shown", follow);
  // ipywidgets tells of it after the first rendering only where a restart ends the comm.
  model.on("comm_live_update", leave);
  say(way, "");
  say(error, "");
  show();
  reach().catch((failure) => !over && say(error, failure.message));
  const forget = whenSeen(card, () => send !== null && !gone && request({ do: "look" }));
  return () => {
    over = true;
    forget();
    model.off("change:shown", follow);
    model.off("comm_live_update", leave);
  };
}

export default { render };
