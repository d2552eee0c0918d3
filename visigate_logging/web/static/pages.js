// Shows the buttons that copy a text, which are of no use without this script.
for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {  // only secure contexts have a clipboard: show the text instead, selected
      source.closest("details").open = true;
      getSelection().selectAllChildren(source);
      button.textContent = "Selected";
    }
  });
}

// Shows new errors without a reload, and times in full at a click. The pages need none of it.
const SECONDS = 10;
const page = document.querySelector(".ve[data-live]");
let known = page && `"${page.dataset.live}"`;

function isBusy() {  // somebody chooses, types or reads: nothing moves under their hands
  return document.hidden || page.querySelector("input[type=checkbox]:checked, details[open], :focus") !== null;
}

async function look() {
  if (isBusy()) return;
  const address = new URL(location);
  address.searchParams.delete("done");
  try {
    const answer = await fetch(address, { headers: { "If-None-Match": known }, redirect: "error" });
    if (!answer.ok) return;  // 304: nothing new
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".ve[data-live]");
    if (!fresh || isBusy()) return;
    known = answer.headers.get("ETag");
    page.replaceChildren(...fresh.childNodes);
  } catch {
    // the server is away, or the session has ended: the page stays as it is
  }
}

if (page) setInterval(look, SECONDS * 1000);

document.addEventListener("click", (event) => {
  const time = event.target.closest(".ve time[title]");
  if (!time) return;
  for (const each of document.querySelectorAll(".ve time[title]")) {
    [each.textContent, each.title] = [each.title, each.textContent];
  }
});
