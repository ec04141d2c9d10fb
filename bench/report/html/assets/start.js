// What is on this page answers.
document.documentElement.classList.add("js");
if (board) startBoard();
if (points && one("#matrix")) startMatrix();
if (data.map && points) startMap();
