"""Allow-list of TeX: the commands that every math renderer only typesets, in the flow of the text.

A command is on the list if it takes no attributes, addresses, names or dimensions, defines
nothing, and draws only where the flow of the text puts it. A few take an argument that is checked.
"""

from __future__ import annotations

import re

_COMMAND_NAMES = """
    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa varkappa lambda mu
    nu xi omicron pi varpi rho varrho sigma varsigma tau upsilon phi varphi chi psi omega digamma
    Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
    aleph beth gimel daleth hbar hslash imath jmath ell wp Re Im partial infty nabla emptyset
    varnothing forall exists nexists neg lnot top bot angle measuredangle triangle square Box
    blacksquare diamond Diamond lozenge star bigstar flat natural sharp clubsuit diamondsuit
    heartsuit spadesuit surd checkmark complement eth mho prime backprime degree circledR circledS
    pounds yen S P copyright dag ddag dagger ddagger
    sum prod coprod int iint iiint oint bigcup bigcap bigsqcup biguplus bigoplus bigotimes bigodot
    bigvee bigwedge
    pm mp times div cdot centerdot ast circ bullet cup cap uplus sqcup sqcap vee wedge lor land
    setminus smallsetminus wr amalg oplus ominus otimes oslash odot bigcirc boxplus boxminus
    boxtimes dotplus ltimes rtimes intercal barwedge veebar curlyvee curlywedge Cap Cup
    bigtriangleup bigtriangledown triangleleft triangleright unlhd unrhd lhd rhd
    le leq leqq leqslant ge geq geqq geqslant ne neq lt gt ll gg lll ggg equiv sim simeq approx
    approxeq cong ncong nsim propto varpropto doteq coloneqq eqqcolon triangleq models vdash dashv
    vDash Vdash nvdash nvDash perp parallel nparallel mid nmid asymp bowtie smile frown prec succ
    preceq succeq precsim succsim lesssim gtrsim lessgtr gtrless nless ngtr nleq ngeq lneq gneq
    in ni notin owns subset supset subseteq supseteq subseteqq supseteqq subsetneq supsetneq
    nsubseteq nsupseteq sqsubset sqsupset sqsubseteq sqsupseteq trianglelefteq trianglerighteq
    therefore because between pitchfork
    to gets leftarrow rightarrow leftrightarrow Leftarrow Rightarrow Leftrightarrow mapsto
    longmapsto longleftarrow longrightarrow longleftrightarrow Longleftarrow Longrightarrow
    Longleftrightarrow implies impliedby iff uparrow downarrow updownarrow Uparrow Downarrow
    Updownarrow nearrow searrow swarrow nwarrow hookleftarrow hookrightarrow leftharpoonup
    leftharpoondown rightharpoonup rightharpoondown rightleftharpoons leftrightharpoons leadsto
    rightsquigarrow nleftarrow nrightarrow nRightarrow nLeftarrow twoheadrightarrow
    curvearrowleft curvearrowright circlearrowleft circlearrowright
    xleftarrow xrightarrow xleftrightarrow xRightarrow xLeftarrow xmapsto
    dots ldots cdots vdots ddots dotsc dotsb dotsm dotsi dotso colon vert Vert lvert rvert lVert
    rVert backslash lbrace rbrace lbrack rbrack langle rangle lfloor rfloor lceil rceil ulcorner
    urcorner llcorner lrcorner lgroup rgroup lmoustache rmoustache
    left right middle big Big bigg Bigg bigl bigr bigm Bigl Bigr Bigm biggl biggr biggm Biggl Biggr
    Biggm
    arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf injlim ker lg lim
    liminf limsup ln log max min Pr projlim sec sin sinh sup tan tanh varlimsup varliminf
    bmod mod pmod pod operatorname limits nolimits
    frac dfrac tfrac cfrac binom dbinom tbinom sqrt over choose atop
    hat widehat tilde widetilde bar overline underline vec dot ddot dddot ddddot acute grave breve
    check mathring overrightarrow overleftarrow overleftrightarrow underrightarrow underleftarrow
    overbrace underbrace overbracket underbracket overset underset stackrel substack boxed not
    mathrm mathbf mathit mathsf mathtt mathcal mathscr mathfrak mathbb mathnormal boldsymbol bm
    pmb bold rm bf it sf tt cal text textrm textbf textit textsf texttt textnormal mbox
    mathop mathbin mathrel mathord mathopen mathclose mathpunct mathinner
    displaystyle textstyle scriptstyle scriptscriptstyle
    quad qquad thinspace medspace thickspace enspace enskip space nobreakspace
    bra ket braket Bra Ket Braket
    phantom hphantom vphantom hline notag nonumber
    """
_COMMANDS = frozenset(_COMMAND_NAMES.split())

#: Commands that are on the list only together with an argument of this form, which follows at once.
_WITH_ARGUMENT = {
    "color": r"\{[A-Za-z]{1,20}\}",
    "textcolor": r"\{[A-Za-z]{1,20}\}",
    # Attributes would stand in brackets.
    "cancel": r"\{",
    "bcancel": r"\{",
    "xcancel": r"\{",
    "tag": r"\*?\{[\w.*' -]{1,12}\}",
    "hspace": r"\*?\{\d?(?:\.\d+)?(?:em|ex|mu|pt|mm)\}",
}
_ENVIRONMENT = (
    r"\s*\{(?:equation|align|gather|multline|flalign|eqnarray|gathered|aligned|split|cases|rcases"
    r"|dcases|matrix|pmatrix|bmatrix|Bmatrix|vmatrix|Vmatrix|smallmatrix)\*?\}"
)
_WITH_ARGUMENT["begin"] = (
    rf"{_ENVIRONMENT}|\s*\{{array\}}\s*\{{[clr| ]{{1,40}}\}}|\s*\{{alignat\*?\}}\s*\{{\d{{1,2}}\}}"
)
_WITH_ARGUMENT["end"] = rf"{_ENVIRONMENT}|\s*\{{(?:array|alignat\*?)\}}"

_NAME = r"\\([A-Za-z@]+)"
#: The distance to the next line, which may be negative.
_LINE_DISTANCE = (
    r"\\\\\*?(?:\s|%[^\n]*\n)*\[(?!\d?(?:\.\d+)?(?:em|ex|pt|mm)\])\s*[-+]?\s*[\d.,]*\s*"
    r"(?:em|ex|px|pt|pc|in|cm|mm|mu)\s*\]"
)
#: So many negative spaces move nothing over anything else.
MOST_NEGATIVE_SPACES = 8


def harmless(text: str, *, negative_spaces: int = MOST_NEGATIVE_SPACES) -> bool:
    """Tell whether every command in a text is on the list, whichever part of it is math.

    Any thread may call.

    Parameters
    ----------
    text
        The text, as a math renderer would read it.
    negative_spaces
        So many negative spaces may be in it.
    """
    if "\\" not in text:
        return True
    others = set(re.findall(_NAME, text)) - _COMMANDS
    if others and not others <= _WITH_ARGUMENT.keys():
        return False
    if text.count("\\!") > negative_spaces:
        return False
    if "\\\\" in text and "[" in text and re.search(_LINE_DISTANCE, text):
        return False
    return not others or all(_allowed(found, text) for found in re.finditer(_NAME, text))


def _allowed(found: re.Match[str], text: str) -> bool:
    name = found[1]
    if name in _COMMANDS:
        return True
    return re.compile(_WITH_ARGUMENT[name]).match(text, found.end()) is not None
