"use strict";
// Draws the charts in the colours of the page, and lets the names below a chart hide its curves.
(() => {
  const charts = [...document.querySelectorAll(".chart")];

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const [text, line, back] = ["--text", "--line", "--back"].map((n) => style.getPropertyValue(n));
    const look = { "font.color": text, "hoverlabel.bgcolor": back, "hoverlabel.font.color": text };
    for (const axis of ["xaxis", "yaxis"]) {
      look[`${axis}.gridcolor`] = line;
      look[`${axis}.linecolor`] = line;
      look[`${axis}.tickcolor`] = line;
    }
    return look;
  }

  for (const chart of charts) {
    const { data, layout } = JSON.parse(chart.querySelector("script").textContent);
    chart.textContent = "";
    Plotly.newPlot(chart, data, layout, { responsive: true, displayModeBar: false }).then(() =>
      Plotly.relayout(chart, colours())
    );
    chart.parentElement.querySelectorAll(".curves button").forEach((button, trace) => {
      button.addEventListener("click", () => {
        const shown = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", shown);
        Plotly.restyle(chart, { visible: shown }, [trace]);
      });
    });
  }

  const recolour = () => charts.forEach((chart) => Plotly.relayout(chart, colours()));
  for (const query of ["(prefers-color-scheme: dark)", "print"]) {
    matchMedia(query).addEventListener("change", recolour);
  }
})();
