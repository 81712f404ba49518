"""The works that a methods paragraph may cite, by the way it cites them."""

WORKS = {
    "Gorgolewski et al. 2016": "Gorgolewski KJ et al. The brain imaging data structure, a format for organizing and "
    "describing outputs of neuroimaging experiments. Sci Data 3, 160044, 2016. doi:10.1038/sdata.2016.44",
    "Li et al. 2016": "Li X, Morgan PS, Ashburner J, Smith J, Rorden C. The first step for neuroimaging data analysis: "
    "DICOM to NIfTI conversion. J Neurosci Methods 264, 2016. doi:10.1016/j.jneumeth.2016.03.001",
    "Tustison et al. 2010": "Tustison NJ et al. N4ITK: improved N3 bias correction. IEEE Trans Med Imaging 29(6), "
    "2010. doi:10.1109/TMI.2010.2046908",
    "Avants et al. 2008": "Avants BB, Epstein CL, Grossman M, Gee JC. Symmetric diffeomorphic image registration with "
    "cross-correlation. Med Image Anal 12(1), 2008. doi:10.1016/j.media.2007.06.004",
    "Avants et al. 2011": "Avants BB et al. A reproducible evaluation of ANTs similarity metric performance in brain "
    "image registration. NeuroImage 54(3), 2011. doi:10.1016/j.neuroimage.2010.09.025",
    "Fonov et al. 2011": "Fonov V et al. Unbiased average age-appropriate atlases for pediatric studies. NeuroImage "
    "54(1), 2011. doi:10.1016/j.neuroimage.2010.07.033",
    "Fisch et al. 2024": "Fisch L et al. deepbet: fast brain extraction of T1-weighted MRI using convolutional neural "
    "networks. Comput Biol Med 179, 2024. doi:10.1016/j.compbiomed.2024.108845",
    "Kingma and Welling 2014": "Kingma DP, Welling M. Auto-encoding variational Bayes. ICLR 2014.",
    "Higgins et al. 2017": "Higgins I et al. beta-VAE: learning basic visual concepts with a constrained variational "
    "framework. ICLR 2017.",
    "Tomczak and Welling 2018": "Tomczak JM, Welling M. VAE with a VampPrior. AISTATS 2018.",
    "Caterini et al. 2018": "Caterini AL, Doucet A, Sejdinovic D. Hamiltonian variational auto-encoder. NeurIPS 2018.",
    "Chadebec et al. 2023": "Chadebec C, Thibeau-Sutre E, Burgos N, Allassonnière S. Data augmentation in high "
    "dimensional low sample size setting using a geometry-based variational autoencoder. IEEE Trans Pattern Anal Mach "
    "Intell 45(3), 2023. doi:10.1109/TPAMI.2022.3185773",
    "Chadebec and Allassonnière 2021": "Chadebec C, Allassonnière S. Data augmentation with variational autoencoders "
    "and manifold sampling. DGM4MICCAI 2021. doi:10.1007/978-3-030-88210-5_17",
    "Chadebec and Allassonnière 2022": "Chadebec C, Allassonnière S. A geometric perspective on variational "
    "autoencoders. NeurIPS 2022.",
    "Kalatzis et al. 2020": "Kalatzis D, Eklund D, Arvanitidis G, Hauberg S. Variational autoencoders with Riemannian "
    "Brownian motion priors. ICML 2020.",
    "Ghosh et al. 2020": "Ghosh P, Sajjadi MSM, Vergari A, Black M, Schölkopf B. From variational to deterministic "
    "autoencoders. ICLR 2020.",
    "Neal 2011": "Neal RM. MCMC using Hamiltonian dynamics. In: Handbook of Markov chain Monte Carlo, 2011.",
    "Kingma and Ba 2015": "Kingma DP, Ba J. Adam: a method for stochastic optimization. ICLR 2015.",
    "Wen et al. 2020": "Wen J et al. Convolutional neural networks for classification of Alzheimer's disease: overview "
    "and reproducible evaluation. Med Image Anal 63, 2020. doi:10.1016/j.media.2020.101694",
    "Huang et al. 2017": "Huang G, Liu Z, van der Maaten L, Weinberger KQ. Densely connected convolutional networks. "
    "CVPR 2017.",
    "Breiman 2001": "Breiman L. Random forests. Mach Learn 45, 2001. doi:10.1023/A:1010933404324",
    "Cortes and Vapnik 1995": "Cortes C, Vapnik V. Support-vector networks. Mach Learn 20, 1995. "
    "doi:10.1007/BF00994018",
    "Cover and Hart 1967": "Cover T, Hart P. Nearest neighbor pattern classification. IEEE Trans Inf Theory 13(1), "
    "1967. doi:10.1109/TIT.1967.1053964",
    "Rumelhart et al. 1986": "Rumelhart DE, Hinton GE, Williams RJ. Learning representations by back-propagating "
    "errors. Nature 323, 1986. doi:10.1038/323533a0",
    "Pedregosa et al. 2011": "Pedregosa F et al. Scikit-learn: machine learning in Python. J Mach Learn Res 12, 2011.",
    "Bergstra and Bengio 2012": "Bergstra J, Bengio Y. Random search for hyper-parameter optimization. J Mach Learn "
    "Res 13, 2012.",
    "Kynkäänniemi et al. 2019": "Kynkäänniemi T, Karras T, Laine S, Lehtinen J, Aila T. Improved precision and recall "
    "metric for assessing generative models. NeurIPS 2019.",
    "Naeem et al. 2020": "Naeem MF, Oh SJ, Uh Y, Choi Y, Yoo J. Reliable fidelity and diversity metrics for generative "
    "models. ICML 2020.",
    "Gretton et al. 2012": "Gretton A et al. A kernel two-sample test. J Mach Learn Res 13, 2012.",
    "Wang et al. 2003": "Wang Z, Simoncelli EP, Bovik AC. Multiscale structural similarity for image quality "
    "assessment. Asilomar 2003. doi:10.1109/ACSSC.2003.1292216",
}


def works_cited(methods: str) -> list[str]:
    """Give the full reference of every work that a methods paragraph cites, in the order of `WORKS`."""
    return [work for cited, work in WORKS.items() if cited in methods]
