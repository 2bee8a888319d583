/**
 * The status panel's front end. It computes nothing: the kernel says what is shown and which
 * buttons work. Whatever comes from the kernel is set as text, never as HTML.
 */

const BUTTONS = [
  ["connect", "Connect"],
  ["disconnect", "Disconnect"],
  ["reset", "Reset"],
];
const RESET_QUESTION = "Really? Context is lost";
const RESET_HINT = "Press again to reset. Escape keeps the conversation.";

/** What is shown when the kernel, and the session with it, is gone. */
const GONE = {
  state: "gone",
  sentence: "The kernel was restarted. Run the cell again for a panel that works.",
  actions: [],
};

const number = (value) => value.toLocaleString("en-US");

function element(tag, className, attributes = {}) {
  const node = document.createElement(tag);
  node.className = className;
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  return node;
}

/** Set a text only where it changes: a live region announces every setting. */
function say(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
  node.hidden = !text;
}

/** The facts below the state, as [name, text, title]; what is not known is left out. */
function facts(status) {
  const rows = [];
  if (!status.session_id) {
    return rows;
  }
  if (status.model) {
    rows.push(["Model", status.model]);
  }
  rows.push(["Session", status.session_id.slice(0, 8), status.session_id]);
  rows.push(["Turns", number(status.turns)]);
  if (status.input_tokens || status.output_tokens) {
    const cached = status.cached_tokens ? ` (${number(status.cached_tokens)} cached)` : "";
    const read = `${number(status.input_tokens)} in${cached}`;
    rows.push(["Tokens", `${read}, ${number(status.output_tokens)} out`]);
  }
  rows.push(["May use", status.permissions]);
  if (status.cost_usd > 0) {
    rows.push(["Cost", `$${status.cost_usd.toFixed(4)}`]);
  }
  return rows;
}

function renderFacts(list, status) {
  list.replaceChildren(
    ...facts(status).map(([name, text, title]) => {
      const row = element("div", "cm-fact");
      const term = element("dt", "");
      const value = element("dd", "");
      term.textContent = name;
      value.textContent = text;
      if (title) {
        value.title = title;
        value.classList.add("cm-code");
      }
      row.append(term, value);
      return row;
    }),
  );
}

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
    if (event.detail > 1 || button.getAttribute("aria-disabled") === "true") {
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

function render({ model, el }) {
  const card = element("section", "claude-magic-status", {
    "aria-label": "Claude Code session",
    // Without this, JupyterLab takes Enter on a button as "edit the cell".
    "data-lm-suppress-shortcuts": "true",
  });
  const head = element("div", "cm-head");
  const title = element("span", "cm-title");
  const badge = element("span", "cm-badge");
  head.append(title, badge);

  const state = element("div", "cm-state", { role: "status" });
  const dot = element("span", "cm-dot", { "aria-hidden": "true" });
  const word = element("span", "cm-word");
  const sentence = element("span", "cm-sentence");
  const reason = element("div", "cm-reason");
  state.append(dot, word, " ", sentence, reason);

  const list = element("dl", "cm-facts");
  const row = element("div", "cm-buttons", { role: "group", "aria-label": "Session" });
  const hint = element("span", "cm-unseen", { role: "status" });
  const error = element("div", "cm-error", { role: "alert" });

  const buttons = new Map();
  for (const [action, label] of BUTTONS) {
    const button = element("button", `cm-button cm-${action}`, { type: "button" });
    button.textContent = label;
    buttons.set(action, button);
    row.append(button);
  }
  const possible = (action) => buttons.get(action).getAttribute("aria-disabled") !== "true";
  for (const action of ["connect", "disconnect"]) {
    buttons.get(action).addEventListener("click", () => {
      if (possible(action)) {
        model.send({ action });
      }
    });
  }
  const forgetReset = askBack(buttons.get("reset"), hint, () => model.send({ action: "reset" }));

  card.append(head, state, list, row, hint, error);
  el.append(card);

  let session = null;
  const show = (status) => {
    card.dataset.state = status.state;
    say(title, status.name ? `Claude Code · ${status.name}` : "Claude Code");
    say(badge, status.label ?? "");
    say(word, status.state);
    say(sentence, status.sentence);
    say(reason, status.reason ?? "");
    renderFacts(list, status);
    for (const [action, button] of buttons) {
      // Not `disabled`: that would take the focus away from whoever just pressed the button.
      button.setAttribute("aria-disabled", String(!status.actions.includes(action)));
    }
    if (status.session_id !== session || !possible("reset")) {
      session = status.session_id;
      forgetReset();
    }
  };
  const showStatus = () => show(model.get("status"));
  const showError = () => say(error, model.get("error"));
  const showGone = () => show(GONE);

  model.on("change:status", showStatus);
  model.on("change:error", showError);
  // ipywidgets tells of it after the first rendering only where a restart ends the comm.
  model.on("comm_live_update", showGone);
  showStatus();
  showError();
  return () => {
    model.off("change:status", showStatus);
    model.off("change:error", showError);
    model.off("comm_live_update", showGone);
  };
}

export default { render };
