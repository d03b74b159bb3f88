// The page: a package in, a verdict out. Nothing leaves the browser.
"use strict";

const part = (id) => document.getElementById(id);

function listed(title, lines) {
  const section = document.createElement("section"), head = document.createElement("h2"), list = document.createElement("ul");
  head.textContent = title;
  for (const line of lines) list.append(Object.assign(document.createElement("li"), { textContent: line }));
  section.append(head, list);
  return section;
}

function show(valid, sentence, sections) {
  const verdict = part("verdict");
  verdict.dataset.valid = valid;
  verdict.textContent = `${valid ? "VALID" : "NOT VALID"}${sentence ? `: ${sentence}` : ""}`;
  part("found").replaceChildren(...sections);
}

// Keys, one a line, or a policy file of witnesses (C2SP tlog-policy), of which the witness lines are read.
function witnessKeys(typed) {
  const found = new Map();
  for (const line of typed.split("\n").map((one) => one.trim()).filter((one) => one && !/^(#|log\s|group\s|quorum\s)/.test(one))) {
    const words = line.split(/\s+/), [name, key] = readKey(words[0] === "witness" && words.length > 2 ? words[2] : line, WITNESS);
    found.set(name, key);
  }
  return found;
}

async function check() {
  const file = part("package").files[0];
  if (!file) return;
  part("verdict").removeAttribute("data-valid");
  part("verdict").textContent = "Checking…";
  part("found").replaceChildren();
  const progress = (done, all) => {
    part("verdict").textContent = `Checking: ${done.toLocaleString("en")} of ${all.toLocaleString("en")} entries`;
    return new Promise((resolve) => setTimeout(resolve));
  };
  try {
    const given = witnessKeys(part("witnesses").value), key = part("key").value.trim(), held = part("held").files[0];
    const done = await new Checks(file, held ? await held.text() : null, key ? readKey(key) : null, given, progress).run();
    const first = done.firstBadEntry, wrong = done.problems.map((problem) => `${problem.check}: ${problem.message}`);
    const counted = `${done.entries.toLocaleString("en")} entries, ${done.checkpoints.toLocaleString("en")} checkpoints read`;
    show(!wrong.length, first === null ? counted : `the first entry that fails is ${first}`, [
      ...(wrong.length ? [listed("Wrong", wrong)] : []), listed("Checked", done.checked), listed("Not checked", done.notChecked),
    ]);
    part("verdict").dataset.first = first ?? "";
  } catch (error) {
    const sentence = error instanceof Unreadable ? error.message : `The package is damaged (${error.name}: ${String(error.message).slice(0, 200)}).`;
    show(false, sentence, []);
    part("verdict").dataset.first = "";
  }
}

for (const id of ["package", "held", "key", "witnesses"]) part(id).addEventListener("change", check);
