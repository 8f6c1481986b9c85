"""A training step layer by layer, each beside the matrix products that its multiply-adds come to.

    python -m benchmarks.layers --models vanilla vae resnet

Every layer runs by itself on what the model gives it, forward and backward, by the processor's time; `products` are
plain products of matrices of the same size, one forward and one for each gradient. What a layer takes beyond them is
what a better kernel could save; what a step takes beyond its layers is loss, optimizer, and the work of calling.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from statistics import median
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

from ae_lightning.machine.precision import choose_precision
from benchmarks.conditions import begin, load
from benchmarks.findings import write_findings
from benchmarks.models import NETWORKS, build_model
from benchmarks.options import in_process_parser, positive
from benchmarks.tables import markdown_table, write_conditions

SHAPE = (1, 28, 28)
WARM_UP = 3
TIMED = ("forward", "backward", "products")
HEADINGS = ("layer", "times", "forward, ms", "backward, ms", "products, ms", "share of the step")


@dataclass(frozen=True)
class LayerTime:
    """What all layers of a kind take in a step.

    Attributes:
        name: The layer's class, and the shapes (without the batch) of what goes in and comes out.
        times: How many there are.
        forward: Seconds of all of them.
        backward: Likewise.
        products: Seconds of the matrix products of the same size; 0 where there are none.
    """

    name: str
    times: int
    forward: float
    backward: float
    products: float


class Profile:
    """One model's step.

    Args:
        model: One of `benchmarks.models`.
        batch_size: Images a step.
        repeats: How often everything is measured; medians count.
    """

    def __init__(self, model: str, batch_size: int, repeats: int) -> None:
        torch.manual_seed(0)
        self._repeats = repeats
        self._model = build_model(model, SHAPE, own_layers=True).to(memory_format=torch.channels_last)
        self._optimizer = torch.optim.Adam(self._model.parameters(), fused=True)
        self._is_mixed = choose_precision("cpu") == "bf16-mixed"
        self._autocast = torch.autocast("cpu", torch.bfloat16, enabled=self._is_mixed)
        for module in self._model.modules():
            # What a layer overwrites cannot be given to it again.
            if getattr(module, "inplace", False):
                module.inplace = False  # type: ignore[assignment]
        self._x_BCHW = torch.rand(batch_size, *SHAPE).contiguous(memory_format=torch.channels_last)

    def step_seconds(self) -> float:
        """Return the processor's seconds of a whole step."""
        return self._seconds(self._step)

    def layers(self) -> list[LayerTime]:
        """Measure every layer, those of the same class and shapes together, the dearest first."""
        seen = self._inputs()
        groups: dict[str, list[LayerTime]] = {}
        for layer, given, output in seen:
            measured = self._layer(layer, given, output, needs_gradient=given is not seen[0][1])
            groups.setdefault(measured.name, []).append(measured)
        rows = [
            LayerTime(name, len(group), *(sum(getattr(row, part) for row in group) for part in TIMED))
            for name, group in groups.items()
        ]
        return sorted(rows, key=lambda row: row.forward + row.backward, reverse=True)

    def _step(self) -> None:
        self._optimizer.zero_grad()
        with self._autocast:
            loss = self._model(self._x_BCHW)
        loss.backward()
        self._optimizer.step()

    def _inputs(self) -> list[tuple[nn.Module, Tensor, Tensor]]:
        """Return the layers that have none inside, with what each is given and gives, in the order of their calls."""
        seen: list[tuple[nn.Module, Tensor, Tensor]] = []
        leaves = [module for module in self._model.modules() if next(module.children(), None) is None]
        handles = [
            leaf.register_forward_hook(lambda layer, given, output: seen.append((layer, given[0].detach(), output)))
            for leaf in leaves
        ]
        with self._autocast:
            self._model(self._x_BCHW)
        for handle in handles:
            handle.remove()
        return seen

    def _layer(self, layer: nn.Module, given: Tensor, output: Tensor, *, needs_gradient: bool) -> LayerTime:
        given = given.clone(memory_format=torch.preserve_format).requires_grad_(needs_gradient)
        wanted = [*([given] if needs_gradient else []), *layer.parameters()]
        gradient = torch.randn_like(output)

        def forward() -> Tensor:
            with self._autocast:
                made: Tensor = layer(given)
            return made

        def both() -> None:
            made = forward()
            if wanted:
                torch.autograd.grad(made, wanted, gradient)

        forward_seconds = self._seconds(forward)
        backward_seconds = max(0.0, self._seconds(both) - forward_seconds)
        sides = [" × ".join(map(str, tensor.shape[1:])) for tensor in (given, output)]
        name = f"{type(layer).__name__}, {sides[0]} → {sides[1]}"
        products = self._products(layer, given, output, needs_gradient=needs_gradient)
        return LayerTime(name, 1, forward_seconds, backward_seconds, products)

    def _products(self, layer: nn.Module, given: Tensor, output: Tensor, *, needs_gradient: bool) -> float:
        """Return the seconds of a product (rows × inner) · (inner × columns) and those of its gradients."""
        sizes = product_sizes(layer, given, output)
        if sizes is None:
            return 0.0
        rows, inner, columns = sizes
        dtype = torch.bfloat16 if self._is_mixed else torch.float32
        a, b, c = (torch.randn(size, dtype=dtype) for size in ((rows, inner), (inner, columns), (rows, columns)))
        parts: list[Callable[[], Tensor]] = [lambda: a @ b, lambda: a.T @ c]
        if needs_gradient:
            parts.append(lambda: c @ b.T)
        return sum(self._seconds(part) for part in parts)

    def _seconds(self, work: Callable[[], Any]) -> float:
        found = []
        for _ in range(WARM_UP + self._repeats):
            began = time.process_time()
            work()
            found.append(time.process_time() - began)
        return median(found[WARM_UP:])


def product_sizes(layer: nn.Module, given: Tensor, output: Tensor) -> tuple[int, int, int] | None:
    """Return rows, inner size and columns of the matrix product that a layer's multiply-adds come to.

    Args:
        layer: Of any kind.
        given: Its input, the batch first.
        output: What it gives.

    Returns:
        None where it multiplies nothing.
    """
    if isinstance(layer, nn.Linear):
        return prod(given.shape[:-1]), layer.in_features, layer.out_features
    if isinstance(layer, nn.ConvTranspose2d):
        return len(given) * prod(given.shape[2:]), layer.in_channels, layer.out_channels * prod(layer.kernel_size)
    if isinstance(layer, nn.Conv2d):
        return len(given) * prod(output.shape[2:]), layer.in_channels * prod(layer.kernel_size), layer.out_channels
    return None


def write_table(model: str, step: float, rows: Sequence[LayerTime]) -> str:
    """Return a model's layers as a table.

    Args:
        model: Its name.
        step: Seconds of a whole step.
        rows: Its layers.
    """

    def shown(seconds: float) -> str:
        return f"{1000 * seconds:.2f}" if seconds else ""

    cells = [
        (row.name, str(row.times), shown(row.forward), shown(row.backward), shown(row.products), f"{share:.1%}")
        for row in rows
        for share in [(row.forward + row.backward) / step]
    ]
    sums = [sum(getattr(row, part) for row in rows) for part in TIMED]
    total = ("all layers", str(sum(row.times for row in rows)), *map(shown, sums), f"{(sums[0] + sums[1]) / step:.1%}")
    return f"**{model}**, a step of {1000 * step:.1f} ms\n\n{markdown_table(HEADINGS, [*cells, total])}"


def main(arguments: list[str] | None = None) -> int:
    """Measure.

    Args:
        arguments: Without the program's name; by default those of the process.

    Returns:
        The exit code, 0.
    """
    parser = in_process_parser(__doc__)
    parser.add_argument("--models", nargs="+", choices=NETWORKS, default=["vanilla", "vae", "resnet"])
    parser.add_argument("--batch-size", type=positive, default=128, help="images a step (default: 128)")
    parser.add_argument("--repeats", type=positive, default=20, help="of each measurement (default: 20)")
    options = parser.parse_args(arguments)
    conditions = begin(options.threads)
    tables, found = [], []
    for model in options.models:
        Console(stderr=True, highlight=False).print(model)
        profile = Profile(model, options.batch_size, options.repeats)
        step, rows = profile.step_seconds(), profile.layers()
        tables.append(write_table(model, step, rows))
        found.append({"model": model, "step": step, "layers": [vars(row) for row in rows]})
    conditions["load_after"] = load()
    text = "\n\n".join([*tables, write_conditions(conditions)]) + "\n"
    write_findings(options, {"conditions": conditions, "models": found}, text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
