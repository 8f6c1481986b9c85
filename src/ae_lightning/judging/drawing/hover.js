// Shows a point's image and caption beside the pointer. Captions are set as text: a class may have any name.
{
  const plot = document.getElementById("{plot_id}");
  const card = document.createElement("figure");
  card.className = "card";
  card.style.cssText = "position:fixed;display:none;margin:0;padding:6px;background:white;border:1px solid #888;" +
    "text-align:center;font:14px sans-serif;pointer-events:none;z-index:10";
  const picture = document.createElement("img");
  picture.style.cssText = "width:140px;image-rendering:pixelated;display:block";
  const caption = document.createElement("figcaption");
  card.append(picture, caption);
  document.body.append(card);
  plot.on("plotly_hover", ({points, event}) => {
    [picture.src, caption.textContent] = points[0].customdata;
    card.style.display = "block";
    card.style.left = Math.min(event.clientX + 14, window.innerWidth - card.offsetWidth - 4) + "px";
    card.style.top = Math.min(event.clientY + 14, window.innerHeight - card.offsetHeight - 4) + "px";
  });
  plot.on("plotly_unhover", () => { card.style.display = "none"; });
}
