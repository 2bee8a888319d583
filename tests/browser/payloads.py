"""Model text that a front end might obey: data for `test_beacons`, to be extended.

Each payload is Markdown. ``BEACON`` stands for an address of another origin, which nothing may
load; a script that runs sets a property of `window` that begins with ``pwn_``.
"""

# ruff: noqa: E501 - the payloads read best in rows

from __future__ import annotations

_OVERLAY = "position:fixed;left:0px;top:0px;width:900px;height:700px;z-index:99999;background:red"

PAYLOADS: dict[str, str] = {
    # -- math ---------------------------------------------------------------------------------
    "bbox": r"$\bbox[background:url(BEACON/bbox)]{x}$ $$\bbox[border:2px solid red]{y}$$",
    "mml-token": rf'$\mmlToken{{mtext}}[fontfamily="x;{_OVERLAY}"]{{covered}}$',
    "mml-token-url": r'$\mmlToken{mi}[fontfamily="x;background:url(BEACON/mml)"]{q}$',
    "mml-token-href": r'$\mmlToken{mi}[href="javascript:window.pwn_mml=1"]{CLICK}$',
    "unicode": r"$\unicode[x;background:url(BEACON/unicode)]{65}$",
    "unicode-overlay": rf"$\unicode[x;{_OVERLAY}]{{65}}$",
    "require": r"$\require{html}\href{javascript:window.pwn_require=1}{x}$",
    "class": r"$\class{jp-Dialog}{x}$ $\cssId{jp-main-dock-panel}{x}$",
    "style": r"$\style{background:url(BEACON/style);position:fixed;top:0px}{x}$",
    "let": r"$\let\x=\href \x{javascript:window.pwn_let=1}{CLICK}$",
    "def": r"$\def\h{\href{javascript:window.pwn_def=1}}\h{x}$",
    "newcommand": r"$\newcommand{\y}[1]{\href{javascript:window.pwn_new=1}{#1}}\y{x}$",
    "enclose": r'$\enclose{circle}[mathbackground="url(BEACON/enclose)"]{x}$',
    "environment": "\\begin{equation}\\href{javascript:window.pwn_env=1}{x}\\end{equation}",
    "paren": r"\\(\href{javascript:window.pwn_par=1}{CLICK}\\) \(\href{javascript:1}{x}\)",
    "bracket": r"\\[\style{background:url(BEACON/bracket)}{x}\\]",
    "entities": r"&#36;&#92;href{javascript:window.pwn_entity=1}{x}&#36;",
    "entities-double": r"&dollar;\\href{javascript:window.pwn_dollar=1}{x}&#x24;",
    "entities-lines": r"&#36;&#10;&#10;\href{javascript:window.pwn_lines=1}{x}&#36;",
    "in-fence": "a $x\n```\n\\href{javascript:window.pwn_fence=1}{x}\n```\n$",
    "in-code": "$`\\href{javascript:window.pwn_code=1}{x}`$ `$`$\\href{javascript:1}{y}$",
    "quote": "> $x\n>\n> \\href{javascript:window.pwn_quote=1}{x} y$",
    "negative-space": "$" + r"\!" * 400 + "OVER$",
    "negative-line": r"$$\begin{matrix}a\\[-40em]OVER\\[-40em]OVER\end{matrix}$$",
    "hspace": r"$\hspace{-60em}OVER$ $\kern-60em OVER$ $\mskip-900mu OVER$",
    "raise": r"$\raise 40em {OVER}$ $\lower{-40em}{OVER}$ $\moveleft 40em {OVER}$",
    "rule": r"$\rule{900px}{700px}$ $\rule[-300px]{2000px}{700px}$ $\Rule{90em}{90em}{90em}$",
    "lap": r"$\llap{OVEROVEROVEROVEROVER}$ $\mathllap{OVEROVEROVEROVER}$ $\smash{\Huge OVER}$",
    "tag": r"$$x \tag{" + "OVER " * 60 + "}$$",
    "array-space": r"$$\begin{array}{@{\hspace{-60em}}c}OVER\end{array}$$",
    "color": r"$\color{red;background:url(BEACON/color)}x$ $\colorbox{url(BEACON/box)}{x}$",
    "attribute-math": '[a]($x" onmouseover="window.pwn_am=1" style="' + _OVERLAY + '"$)',
    "attribute-alt": '![$x" onerror="window.pwn_alt=1" y="$](missing.png)',
    "attribute-title": '[a](b "$x" id="zz" style="background:url(BEACON/title)"$")',
    "attribute-again": '$x" style="background:url(BEACON/again)$\n\n[a](@\\@0@@) [a](@\\@1@@)',
    # -- fences -------------------------------------------------------------------------------
    "mermaid-image": '```mermaid\nflowchart TD\n A@{ img: "BEACON/mermaid", label: "x" }\n```',
    "mermaid-list": '- a\n  ```mermaid\n  flowchart TD\n  A@{ img: "BEACON/list", label: "x" }\n  ```',
    "mermaid-quote": '> ~~~mermaid\n> flowchart TD\n> A@{ img: "BEACON/quote", label: "x" }\n> ~~~',
    "mermaid-css": (
        '```mermaid\n%%{init: {"themeCSS": "@import url(BEACON/css); *{background:url(BEACON/css2)}",'
        ' "fontFamily": "x;background:url(BEACON/font)"}}%%\nflowchart TD\n A-->B\n```'
    ),
    "mermaid-html": (
        "```mermaid\nflowchart LR\n A[\"<img src='BEACON/html' onerror='window.pwn_mer=1'>\"] --> B\n"
        ' click A href "javascript:window.pwn_mer2=1"\n```'
    ),
    "mermaid-odd": '```\tmermaid\nflowchart TD\n A@{ img: "BEACON/tab", label: "x" }',
    "mermaid-entity": '```&#109;ermaid\nflowchart TD\n A@{ img: "BEACON/entity", label: "x" }\n```',
    "mermaid-cr": 'x\r```mermaid\rflowchart TD\r A@{ img: "BEACON/cr", label: "x" }\r```',
    "info-html": '```x"><img/src="BEACON/info"onerror="window.pwn_info=1">\nx\n```',
    "vega": '```vega-lite\n{"data": {"url": "BEACON/vega"}, "mark": "bar"}\n```',
    "directive": ":::{figure} BEACON/figure\n:::\n\n```{image} BEACON/image\n```",
    # -- images -------------------------------------------------------------------------------
    "image": "![a](BEACON/i1) ![a](<BEACON/i2>) ![a][r] ![[a]](BEACON/i7) ![a\n](BEACON/i8)\n\n"
    "[r]: BEACON/i3\n\n![a]\n(BEACON/i4) ![`x`](BEACON/i9)",
    "image-code": "`` ` ![a](BEACON/i13) `` `![a](BEACON/i14)` \\`![a](BEACON/i15)\\`\n\n"
    "    ![a](BEACON/i17)\n\n$![a](BEACON/i18)$ $$![a](BEACON/i19)$$",
    "image-up": "![a](x/../../../../../logout) ![a](/logout)",
    "table": "|a|\n|-|\n|<img src=BEACON/t1>|\n|`|` ![x](BEACON/t2)|",
    # -- HTML ---------------------------------------------------------------------------------
    "html": "<img src=BEACON/h1><b><img src=BEACON/h2></b> <<T>img src=BEACON/h4> <b\n><img\n"
    "src=BEACON/h5> <details open><summary>s</summary><img src=BEACON/h6></details>",
    "html-fence": "```html\n<img src=BEACON/f1 onerror=window.pwn_f=1>\n```\n\n~~~\n<img src=BEACON/f2>\n~~~\n\n"
    "````x\n```\n<img src=BEACON/f3>\n````\n\n> ```\n<img src=BEACON/f4>\n> ```",
    "html-odd": "<b>x</b\u00a0onclick=1> <img\u000csrc=BEACON/w1> <\u0000img src=BEACON/w2> "
    "<!--><img src=BEACON/w3>--> <![CDATA[<img src=BEACON/w4>]]> <?php ><img src=BEACON/w5>?>",
    "html-svg": "<svg><style><img src=BEACON/s1></style></svg><svg onload=window.pwn_svg=1>"
    '<image href="BEACON/s2"/></svg><math><mtext><img src=BEACON/s3></mtext></math>',
    "script": "<script>window.pwn_script=1</script><img src=x onerror=window.pwn_onerror=1>",
    "overlay": f'<div style="{_OVERLAY}">OVERLAY</div>',
    "style-sheet": "<style>.jp-Notebook{background:url(BEACON/sheet)}</style>",
    "frame": '<iframe src="BEACON/frame"></iframe><object data="BEACON/object"></object>'
    '<video src="BEACON/video" poster="BEACON/poster" autoplay></video><link rel=stylesheet href=BEACON/l>',
    "form": '<form action="BEACON/form"><button type="submit">Allow once</button></form>',
    # -- commands and links -------------------------------------------------------------------
    "command": '<button data-commandlinker-command="notebook:run-all-cells">Reject</button> '
    "[x](#){data-commandlinker-command=notebook:run-all-cells}",
    "links": "[a](javascript:window.pwn_l1=1) [b](java&#115;cript:window.pwn_l2=1) [e][jj] "
    "[d]( \u0001javascript:window.pwn_l4=1) <javascript:window.pwn_l5=1> [i](javascript&colon;1) "
    "[m](java\tscript:1) [g](vbscript:1) [f](data:text/html,<script>1</script>) [q](<java\nscript:1>)"
    "\n\n[jj]: javascript:window.pwn_l10=1\n\n[p]:\n javascript:window.pwn_l12=1\n\n[p]",
    "server-links": "[Allow once](/lab?reset) [A](/logout) [B](?reset) [C](/api/contents)",
}
