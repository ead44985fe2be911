/** Headers of the page: nothing is loaded, run, framed or told to anybody. */
export const invitePageHeaders: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};

/**
 * What a person sees who clicked an invite. The invite itself is in the link's fragment, which a
 * browser never sends: the page has no script, so that nothing here could read it either.
 */
export const invitePage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>You are invited to Sotto</title>
<style>
body { font: 1.1rem/1.6 system-ui, sans-serif; max-width: 38rem; margin: 3rem auto; padding: 0 1rem; color-scheme: light dark; }
code { font-size: 1rem; padding: .1rem .3rem; border: 1px solid; border-radius: .3rem; }
pre { padding: .8rem; border: 1px solid; border-radius: .3rem; overflow-x: auto; }
pre code { border: 0; padding: 0; }
</style>
</head>
<body>
<h1>You are invited</h1>
<p>Somebody invited you to a Sotto server: a team's own chat and video, which the one who runs it cannot read or watch.</p>
<ol>
<li>Copy the <strong>whole link</strong> from your browser's address bar. The part after <code>#</code> is the invitation; it stays in your browser and was not sent to this server.</li>
<li>Get the Sotto client: a clone of its repository (whoever invited you knows where it is), and Node.js 20 or newer. Do not install a package called <code>sotto</code> from a registry: that is something else.</li>
<li>In a terminal, in the folder of that clone, run:
<pre><code>./sotto join '&lt;paste the whole link&gt;' --name yourname</code></pre></li>
</ol>
<p>Keep the quotation marks. Do not pass the link on: whoever has it can join in your place.</p>
</body>
</html>
`;
