for (const button of document.querySelectorAll('.command button')) {
  button.hidden = false;
  button.addEventListener('click', () => {
    const text = button.previousElementSibling;
    const said = (word) => {
      button.textContent = word;
      setTimeout(() => { button.textContent = 'Copy'; }, 2000);
    };
    const select = () => {
      getSelection().selectAllChildren(text);
      said('Selected');
    };
    if (navigator.clipboard) {
      navigator.clipboard.writeText(text.textContent).then(() => said('Copied'), select);
    } else {
      select();
    }
  });
}
