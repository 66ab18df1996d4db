-- Grain: one row per subject of int_hybrid_subjects, under the first reason of hybrid_reasons that is so.
with judged as (
  select
    s.*,
    f.device_limit,
    f.product_family is not null as is_tracked,
    t.has_users,
    s.own_devices + s.shared_devices > 0 as is_installed,
    s.desktop_activations > 0 as is_activated
  from {{ ref('int_hybrid_subjects') }} as s
  join {{ ref('int_hybrid_tenants') }} as t on t.tenant_id = s.tenant_id
  left join {{ ref('product_families') }} as f on f.product_family = s.product_family
)

select
  j.*,
  case
    when not is_tracked then 'not_tracked'
    when not has_users then 'not_measurable'
    when subject = 'device' and own_devices = 0 then 'shared_computer'
    when subject = 'device' and has_ambiguous then 'ambiguous_user'
    when subject = 'device' then 'unresolved_user'
    when license_right is null then 'not_measurable'
    when license_right = 'web' and (own_devices > 0 or is_activated) then 'web_only_license_with_desktop_install'
    when license_right = 'switched_off' and (own_devices > 0 or is_activated) then 'installed_with_plan_switched_off'
    when license_right = 'not_managed' then 'license_not_managed'
    when license_right = 'none' and own_devices > 0 then 'installed_without_license'
    when license_right = 'none' and is_activated then 'activated_without_assignment'
    when own_devices > device_limit or (desktop_activations > device_limit and not is_shared_activation) then 'over_five_devices'
    when own_devices = 0 and shared_devices > 0 then 'shared_computer'
    when own_devices > 0 and not is_activated then 'installed_not_activated'
    when own_devices > 0 then 'matched'
    when own_devices is null then 'not_measurable'
    when is_activated then 'activated_not_in_inventory'
    else 'assigned_not_installed'
  end as reason
from judged as j
