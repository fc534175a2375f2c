// Stands in the theme's script, whose short names it uses, in the place of the search's dialog. The dialog comes in a
// script of its own when a reader goes to the search. What is typed before it is there is typed into it.
var searchDialogAddress = document.querySelector("script[src*='/bundle.']").src.replace(/bundle(?=[^/]*$)/, "search-dialog");
var Dr = () => true; // whether the dialog is closed
var Sc = (button, index) => {
  const typed = C("input", { style: "position: fixed; top: 0; opacity: 0", "aria-label": "Search" });
  let before;
  const open = () => {
    if (typed.isConnected) return;
    before = document.activeElement;
    document.body.append(typed);
    typed.focus({ preventScroll: true });
  };
  const shortcut = b(window, "keydown").pipe(S((key) => (key.ctrlKey || key.metaKey) && key.key === "k"));
  const wishes = R(b(button, "click"), Fn("search").pipe(we(1)), shortcut.pipe(A((key) => key.preventDefault())));
  const waiting = wishes.subscribe(open);
  const come = () => {
    waiting.unsubscribe();
    [Dr, Sc] = searchDialog(Ae, M, wr, Pe, C, nt, me, b, Fn, we, Y, Ze);
    Sc(button, index);
    if (!typed.isConnected) return;
    before.focus({ preventScroll: true }); // the dialog gives the focus back to it
    button.click();
    const field = document.body.lastElementChild.shadowRoot.querySelector("input");
    field.value = typed.value;
    field.dispatchEvent(new Event("input"));
    typed.remove();
  };
  return searchAsked.pipe(
    g(() => ct(searchDialogAddress)),
    g(() => (come(), Ze)),
    le(() => Ze),
  );
};
