"""How fast the network is, beside the one that the package ships: millions of its own pixels a second.

    python speed.py --threads 2

Normalisations are part of their convolutions, as they are when it looks. Multiplications are counted a pixel.
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils.flop_counter import FlopCounterMode

from micro_nb.models.tile_network import ConvNorm, Encoder, TileNetwork


def fused(network: nn.Module) -> nn.Module:
    """The network ready to look."""
    network.eval()
    for block in [m for m in network.modules() if type(m).__name__ == ConvNorm.__name__]:
        block[0], block[1] = fuse_conv_bn_eval(block[0], block[1]), nn.Identity()
    return network.to(memory_format=torch.channels_last)


def networks() -> dict[str, nn.Module]:
    """The new one, its encoder alone and, where micro_nb is installed, the one that is shipped."""
    found: dict[str, nn.Module] = {"new": TileNetwork(), "encoder": Encoder()}
    try:
        from micro_nb.models.micro_d1.configuration_micro_d1 import MicroD1Config
        from micro_nb.models.micro_d1.modeling_micro_d1 import TileNetwork as Shipped
    except ImportError:
        return found
    return {"shipped": Shipped(MicroD1Config())} | found


def counted(network: nn.Module, edge: int = 256) -> float:
    """Multiplications a pixel."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, edge, edge))
    return counter.get_total_flops() / 2 / edge**2


def rate(network: nn.Module, edge: int, *, narrow: bool, repeats: int) -> float:
    """Millions of pixels a second, the best of ``repeats``."""
    pixels, best = torch.rand(1, 3, edge, edge).to(memory_format=torch.channels_last), 0.0
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=narrow):
        for _ in range(repeats + 1):
            start = time.perf_counter()
            network(pixels)
            best = max(best, edge**2 / 1e6 / (time.perf_counter() - start))
    return best


def main() -> None:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--edge", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=8)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    native = bool(torch.cpu._is_avx512_bf16_supported())
    for name, network in networks().items():
        count, ready = counted(network.eval()), fused(network)
        said = [f"{name:8} {count:7.0f} multiplications a pixel"]
        for narrow in (False, True) if native else (False,):
            speed = rate(ready, args.edge, narrow=narrow, repeats=args.repeats)
            said.append(f"{speed:6.2f} MPx/s {'bfloat16' if narrow else 'float32'}")
        print("  ".join(said))


if __name__ == "__main__":
    main()
