"""Values that are an integer hash of a name and a position, which the Rust tests compute alike."""
import numpy as np, torch


def fnv(text):
    h = 0x811C9DC5
    for byte in text.encode(): h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return h


def uniform(name, shape, scale=1.0, offset=0.0):
    """Value i: murmur's finaliser of fnv(name) ^ i * golden ratio, as a number in [-1, 1), times scale plus offset."""
    count = int(np.prod(shape))
    x = np.uint32(fnv(name)) ^ (np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9))
    x ^= x >> np.uint32(16); x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13); x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    unit = (x >> np.uint32(8)).astype(np.float32) * np.float32(2.0 ** -23) - np.float32(1)
    return torch.from_numpy(unit * np.float32(scale) + np.float32(offset)).reshape(shape)
