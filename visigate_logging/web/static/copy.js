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
