"use strict";

const EVERY_MS = 400;
const FLEXS_OWN = /^(flex|conversations$|customers$|conversationSid$|initiatedBy$|direction$|taskCreateSource$)/;
const find = (selector) => document.querySelector(selector);
let sid = null;
let shown = "";

/** An element with text in it; what people wrote is only ever text. */
function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

async function call(path, body) {
  const options = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(path, options);
  const told = await answer.json();
  find("#error").hidden = answer.ok;
  if (!answer.ok) find("#error").textContent = told.why;
  return answer.ok ? told : null;
}

function pairs(list, entries) {
  list.replaceChildren(...entries.flatMap(([name, value]) => [
    element("dt", name),
    element("dd", typeof value === "string" ? value : JSON.stringify(value)),
  ]));
}

function showMessages(section, messages) {
  const list = find(`${section} .messages`);
  list.replaceChildren(...messages.map(({ who, text }) => {
    const item = element("li", "", who);
    item.append(element("small", who), text);
    return item;
  }));
  list.scrollTop = list.scrollHeight;
}

function showTask(task, over) {
  const place = find("#task");
  place.replaceChildren();
  find("#agent .write").hidden = !task || task.status !== "assigned" || over;
  if (!task) {
    place.append(element("p", "No task yet. The bot has the chat.", "quiet"));
    return;
  }
  const list = document.createElement("dl");
  pairs(list, Object.entries(task.attributes).filter(([name]) => !FLEXS_OWN.test(name)));
  place.append(element("p", `The task is ${task.status}.`, "quiet"), list);
  const deeds = over ? [] : task.status === "pending" ? [["accept", "Accept"]] : task.status === "assigned" ? [["finish", "End the chat"]] : [];
  for (const [what, label] of deeds) {
    const button = element("button", label);
    button.onclick = () => call(`conversations/${sid}/agent`, { do: what }).then(refresh);
    place.append(button);
  }
}

async function refresh() {
  if (!sid) return;
  const told = await call(`conversations/${sid}`);
  if (!told || shown === JSON.stringify(told)) return;
  shown = JSON.stringify(told);
  showMessages("#customer", told.messages);
  showMessages("#agent", told.task ? told.messages : []);
  showTask(told.task, told.over);
  find("#customer .write").hidden = told.over;
  find("#over").hidden = !told.over;
  pairs(find("#state"), [["owner", told.owner || "nobody yet"], ["state", told.state || "none"], ...Object.entries(told.data)]);
  find("#events").replaceChildren(...told.events.map(({ what, rule }) => {
    const item = document.createElement("li");
    item.append(element("span", what), element("span", rule));
    return item;
  }));
}

function writes(section, path) {
  find(`${section} .write`).onsubmit = async (event) => {
    event.preventDefault();
    const input = event.target.elements.text;
    if (input.value.trim() && await call(path(), { do: "write", text: input.value })) input.value = "";
    await refresh();
  };
}

find("#form").onsubmit = async (event) => {
  event.preventDefault();
  const told = await call("conversations", Object.fromEntries(new FormData(event.target)));
  if (!told) return;
  sid = told.sid;
  find("#form").hidden = true;
  find("#customer .write").hidden = false;
  find("#again").hidden = false;
  find("#customer .write input").focus();
  await refresh();
};
find("#again").onclick = () => location.reload();
writes("#customer", () => `conversations/${sid}/messages`);
writes("#agent", () => `conversations/${sid}/agent`);
setInterval(refresh, EVERY_MS);
