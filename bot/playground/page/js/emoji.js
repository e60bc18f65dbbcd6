// The emoji that the page knows by Slack's short names. An unknown name stays text, as Slack shows it.

const TABLE = `
+1 👍|thumbsup 👍|-1 👎|thumbsdown 👎|heart ❤️|eyes 👀|tada 🎉|white_check_mark ✅|x ❌|pray 🙏|clap 👏|raised_hands 🙌
ok_hand 👌|wave 👋|muscle 💪|point_up ☝️|point_right 👉|point_left 👈|point_down 👇|fire 🔥|rocket 🚀|100 💯|sparkles ✨|star ⭐
bulb 💡|thinking_face 🤔|thinking 🤔|smile 😄|grinning 😀|joy 😂|slightly_smiling_face 🙂|wink 😉|blush 😊|sweat_smile 😅
heart_eyes 😍|sunglasses 😎|neutral_face 😐|confused 😕|cry 😢|sob 😭|scream 😱|angry 😠|rage 😡|see_no_evil 🙈|shrug 🤷
facepalm 🤦|face_palm 🤦|robot_face 🤖|ghost 👻|skull 💀|bug 🐛|memo 📝|book 📖|books 📚|open_book 📖|scroll 📜|page_facing_up 📄
file_folder 📁|open_file_folder 📂|card_index_dividers 🗂️|bookmark 🔖|bookmark_tabs 📑|link 🔗|paperclip 📎|pushpin 📌
round_pushpin 📍|mag 🔍|mag_right 🔎|lock 🔒|unlock 🔓|key 🔑|bell 🔔|no_bell 🔕|speech_balloon 💬|thought_balloon 💭
left_speech_bubble 🗨️|mega 📣|loudspeaker 📢|email 📧|envelope ✉️|calendar 📅|date 📅|hourglass ⌛|hourglass_flowing_sand ⏳
stopwatch ⏱️|alarm_clock ⏰|clock1 🕐|arrows_counterclockwise 🔄|repeat 🔁|arrow_right ➡️|arrow_left ⬅️|arrow_up ⬆️|arrow_down ⬇️
leftwards_arrow_with_hook ↩️|heavy_check_mark ✔️|ballot_box_with_check ☑️|heavy_plus_sign ➕|heavy_minus_sign ➖|question ❓
grey_question ❔|exclamation ❗|grey_exclamation ❕|warning ⚠️|no_entry ⛔|no_entry_sign 🚫|octagonal_sign 🛑|stop_sign 🛑
information_source ℹ️|red_circle 🔴|large_yellow_circle 🟡|large_green_circle 🟢|large_blue_circle 🔵|white_circle ⚪|black_circle ⚫
large_orange_circle 🟠|small_blue_diamond 🔹|small_orange_diamond 🔸|gear ⚙️|wrench 🔧|hammer 🔨|hammer_and_wrench 🛠️
construction 🚧|package 📦|computer 💻|desktop_computer 🖥️|keyboard ⌨️|floppy_disk 💾|file_cabinet 🗄️|wastebasket 🗑️
chart_with_upwards_trend 📈|chart_with_downwards_trend 📉|bar_chart 📊|moneybag 💰|trophy 🏆|dart 🎯|seedling 🌱|herb 🌿
evergreen_tree 🌲|sunny ☀️|cloud ☁️|rainbow 🌈|snowflake ❄️|zap ⚡|boom 💥|coffee ☕|pizza 🍕|cake 🍰|beers 🍻|birthday 🎂
house 🏠|office 🏢|earth_africa 🌍|globe_with_meridians 🌐|world_map 🗺️|compass 🧭|brain 🧠|detective 🕵️|ear 👂|nose 👃
bust_in_silhouette 👤|busts_in_silhouette 👥|technologist 🧑‍💻|student 🧑‍🎓|sos 🆘|new 🆕|free 🆓|ok 🆗|up 🆙|cool 🆒
one 1️⃣|two 2️⃣|three 3️⃣|four 4️⃣|five 5️⃣|six 6️⃣|seven 7️⃣|eight 8️⃣|nine 9️⃣|zero 0️⃣|keycap_ten 🔟`;

const BY_NAME = new Map(
  TABLE.trim().split(/[|\n]/).map((entry) => entry.trim().split(" ")),
);
const SKIN = { 2: "🏻", 3: "🏼", 4: "🏽", 5: "🏾", 6: "🏿" };

/** Offered by the picker: the distinct emoji under their first names. */
export const EMOJI_NAMES = [...new Map([...BY_NAME].reverse().map(([name, char]) => [char, name])).values()].reverse();

/** The characters of `name` (`thumbsup`, `+1::skin-tone-3`), or undefined where the page does not know it. */
export function emojiChar(name) {
  const [bare, tone] = name.split("::skin-tone-");
  const char = BY_NAME.get(bare);
  return char && tone && SKIN[tone] ? char + SKIN[tone] : char;
}

/** What a person should see: the emoji itself, or `:name:`. */
export function emojiText(name) {
  return emojiChar(name) ?? `:${name}:`;
}
