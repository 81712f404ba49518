import io

import pytest
import torch
from PIL import Image
from tiny_rhvae import BRIEF, TINY, draw_images

from cohortsmith.config.generator import VAEConfig
from cohortsmith.models.training import fit_vae
from cohortsmith.pipelines.augment.latent_figures import draw_latent_space

PLAIN = VAEConfig(latent_dim=3, likelihood_variance=0.05, network=TINY.network)


@pytest.mark.parametrize("config", [TINY, PLAIN], ids=["learned metric", "posterior metric, three dimensions"])
def test_the_latent_space_of_every_kind_of_model_is_drawn(config):
    figures = draw_latent_space(fit_vae(draw_images(), config, BRIEF, seed=3), "CN")
    assert set(figures) == {"latent_volume_CN.png", "latent_ways_CN.png", "latent_interpolation_CN.png"}
    for content in figures.values():
        grey = torch.tensor(list(Image.open(io.BytesIO(content)).convert("L").getdata())).float()
        assert grey.std() > 10


def test_a_line_of_codes_is_not_drawn():
    single = PLAIN.model_copy(update={"latent_dim": 1})
    assert draw_latent_space(fit_vae(draw_images(), single, BRIEF, seed=3), "CN") == {}
