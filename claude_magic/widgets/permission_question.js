import { ask } from "./control.js";
import { QUIET, element } from "./elements.js";

/**
 * The permission question's front end. Whatever comes from the
 * kernel is set as text, never as HTML. A button counts only when a person presses it: no script's
 * click, no key that is held down, nothing in the first moment, when a click was meant for what
 * stood here before.
 */

const CALM_MS = 500;

function codeOf(pieces) {
  const code = element("code", "");
  code.append(
    ...pieces.map(([name, text]) =>
      name ? element("span", `cm-${name}`, text) : document.createTextNode(text),
    ),
  );
  return code;
}

/** Call back once the node has been visible for a while. */
function whenSeen(node, callback) {
  let timer;
  const observer = new IntersectionObserver((entries) => {
    clearTimeout(timer);
    if (entries.some((entry) => entry.isIntersecting)) {
      timer = setTimeout(() => {
        observer.disconnect();
        callback();
      }, CALM_MS);
    }
  });
  observer.observe(node);
  return () => {
    clearTimeout(timer);
    observer.disconnect();
  };
}

function render({ model, el }) {
  const shown = model.get("shown");
  const card = element("section", "claude-magic-question", "", {
    "aria-label": `Claude asks for your consent: ${shown.title}`,
  });

  const head = element("div", "cm-head");
  head.append(
    element("span", "cm-asks", "May Claude do this?"),
    element("span", "cm-title", shown.title),
  );
  const body = element("pre", "cm-body", "", {
    ...QUIET,
    role: "region",
    "aria-label": "What exactly would be done",
    tabindex: "0",
  });
  body.append(codeOf(shown.body));
  const extent = element("div", "cm-extent", `${shown.lines.toLocaleString("en-US")} lines; scroll to see all of them`);
  const note = element("div", "cm-note", shown.note ?? "");
  note.hidden = !shown.note;

  const row = element("div", "cm-buttons", "", { role: "group", "aria-label": "Your answer" });
  const reason = element("input", "cm-reason", "", {
    ...QUIET,
    type: "text",
    "aria-label": "Why not? Claude reads this",
    placeholder: "Why not? Claude reads it",
    autocomplete: "off",
    maxlength: "4000",
  });
  const buttons = [];
  const button = (choice, label, title) => {
    const node = element("button", `cm-button cm-${choice}`, label, {
      ...QUIET,
      type: "button",
      title,
    });
    node.addEventListener("click", (event) => {
      // A script's click is not trusted; the second one of a double click was not meant for this.
      if (event.isTrusted && event.detail <= 1) {
        answer(choice);
      }
    });
    node.addEventListener("keydown", (event) => {
      if (event.repeat && (event.key === "Enter" || event.key === " ")) {
        event.preventDefault();
      }
    });
    buttons.push(node);
    return node;
  };
  const allow = element("span", "cm-group");
  allow.append(button("once", "Allow once", "Only this time"));
  if (shown.rule) {
    allow.append(button("session", "Allow in this session", `Does not ask again for ${shown.rule}`));
  }
  const refuse = element("span", "cm-group cm-refuse");
  refuse.append(
    reason,
    button("no", "No", "Claude is told, with your reason, and goes on"),
    button("stop", "Stop", "Ends this turn"),
  );
  row.append(allow, refuse);
  const rule = element("div", "cm-rule");
  rule.hidden = !shown.rule;
  rule.append("“In this session” allows ", element("code", "", shown.rule ?? ""), " from now on.");
  const state = element("div", "cm-state", "", { role: "status" });
  card.append(head, body, extent, note, row, rule, state);
  el.append(card);
  // Only now has it a height.
  const measure = () => {
    extent.hidden = body.scrollHeight <= body.clientHeight + 1;
  };
  const resized = new ResizeObserver(measure);
  resized.observe(body);

  let open = false;
  let gone = false;
  const say = (text) => {
    if (!gone) {
      state.textContent = text;
    }
  };
  const enable = (enabled) => {
    open = enabled;
    for (const node of buttons) {
      node.setAttribute("aria-disabled", String(!enabled));
    }
  };
  async function answer(choice) {
    if (!open) {
      return;
    }
    enable(false);
    say("…");
    try {
      const content = { to: shown.address, do: "answer", choice };
      await ask(model, choice === "no" ? { ...content, reason: reason.value } : content);
      say("");
    } catch (error) {
      say(error.message);
      enable(!gone);
    }
  }
  reason.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.isTrusted && !event.repeat && !event.isComposing) {
      answer("no");
    }
  });

  enable(false);
  let forget = () => {};
  ask(model, { to: shown.address, do: "ready" }).then(
    (reply) => {
      if (gone) {
        return;
      }
      if (reply.over) {
        say("This question is answered elsewhere.");
      } else {
        forget = whenSeen(row, () => enable(true));
      }
    },
    (error) => say(error.message),
  );
  return () => {
    gone = true;
    forget();
    resized.disconnect();
  };
}

export default { render };
